import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import type { Life } from "../life.ts";
import type { World } from "../world.ts";

/** A message given to somebody. */
export interface Delivery {
  readonly message: StoredMessage;
  readonly receipt: string;
  /** How often the message had been received by then, this time counted. */
  readonly number: number;
  readonly by: Life;
  /** When the service gave it out, in milliseconds since the world began. */
  readonly at: number;
  /** When the answer that brought it was there; null: it never was. */
  arrivedAt: number | null;
}

/** What became of a message: somebody deleted it, or the redrive policy moved it to the dead letters. */
export type Fate = { readonly kind: "deleted"; readonly delivery: Delivery } | { readonly kind: "moved" };

export interface StoredMessage {
  readonly queue: SimulatedQueue;
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  readonly group: string | null;
  readonly sentAt: number;
  readonly deliveries: Delivery[];
  visibleAt: number;
  /** When something last happened to it that its receiver could not know of. */
  disturbedAt: number;
  fate: Fate | null;
}

export interface Redrive {
  readonly most: number;
  readonly target: SimulatedQueue;
  /** Whether workers may not send to the target. */
  readonly isDenied: boolean;
}

/** What is looked at when something becomes of a message. */
export interface ServiceWatch {
  /** Others can receive it from now on, unless it was extended. */
  visible(message: StoredMessage): void;
  deleted(message: StoredMessage, delivery: Delivery): void;
  /** By the redrive policy. */
  moved(message: StoredMessage): void;
}

/** A standard queue says yes to a receipt that is not the newest one, and does what was asked or not. */
const STALE_WORKS = 0.5;
/** So long a FIFO queue drops what has been sent with the same id. */
const DEDUPLICATION_MS = 300_000;

export type Sent = Pick<StoredMessage, "body" | "attributes" | "group"> & { readonly deduplicationId: string | null };

const URL_BEFORE_NAME = "https://sqs.eu-west-1.amazonaws.com/123456789012/";
const ARN_BEFORE_NAME = "arn:aws:sqs:eu-west-1:123456789012:";

/** One queue as SQS keeps it: visibility, receive counts, redrive policy, groups, and what goes wrong by design. */
export class SimulatedQueue {
  readonly name: string;
  readonly redrive: Redrive | null;
  readonly messages: StoredMessage[] = [];
  /** How probable it is that a standard queue delivers a message to two receivers. */
  twice = 0.03;
  readonly #world: World;
  readonly #watch: ServiceWatch;
  readonly #byReceipt = new Map<string, Delivery>();
  readonly #sent = new Map<string, { readonly at: number; readonly message: StoredMessage }>();
  /** Polls that wait for a message. */
  readonly #waiting = new Set<() => void>();
  /** Those that are still there, in the order of their sending. */
  #live: StoredMessage[] = [];

  constructor(world: World, watch: ServiceWatch, name: string, redrive: Redrive | null) {
    this.#world = world;
    this.#watch = watch;
    this.name = name;
    this.redrive = redrive;
  }

  get url(): string {
    return URL_BEFORE_NAME + this.name;
  }

  get arn(): string {
    return ARN_BEFORE_NAME + this.name;
  }

  get isFifo(): boolean {
    return this.name.endsWith(".fifo");
  }

  get left(): readonly StoredMessage[] {
    return this.#live;
  }

  send({ body, attributes, group, deduplicationId }: Sent): StoredMessage {
    const { now, random } = this.#world;
    const before = deduplicationId === null ? undefined : this.#sent.get(deduplicationId);
    if (this.isFifo && before && now - before.at < DEDUPLICATION_MS) return before.message;
    const message: StoredMessage = {
      queue: this,
      id: `${random.hex(8)}-${random.hex(4)}-${random.hex(12)}`,
      body,
      attributes,
      group: this.isFifo ? group : null,
      sentAt: now,
      deliveries: [],
      visibleAt: now,
      disturbedAt: Number.NEGATIVE_INFINITY,
      fate: null,
    };
    if (deduplicationId !== null) this.#sent.set(deduplicationId, { at: now, message });
    this.messages.push(message);
    this.#live.push(message);
    this.#tellPolls();
    return message;
  }

  /** What can be received now; what was received too often is moved to the dead letters on the way. */
  receive(most: number, visibilityMs: number, by: Life): Delivery[] {
    const { random } = this.#world;
    const given: StoredMessage[] = [];
    for (const message of this.#receivable()) {
      if (given.length === most || (given.length > 0 && random.chance(0.1))) break;
      if (this.redrive && message.deliveries.length >= this.redrive.most) this.#move(message, this.redrive);
      else given.push(message);
    }
    return given.map((message) => this.#deliver(message, visibilityMs, by));
  }

  #receivable(): StoredMessage[] {
    const { now, random } = this.#world;
    if (this.isFifo) return this.#inGroups();
    const visible = this.#live.filter(({ visibleAt }) => visibleAt <= now);
    return visible
      .map((one) => ({ one, at: random.next() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ one }) => one);
  }

  /** Nothing of a group in which an earlier message is being worked on. */
  #inGroups(): StoredMessage[] {
    const blocked = new Set<string | null>();
    return this.#live.filter(({ group, visibleAt }) => {
      if (visibleAt > this.#world.now) blocked.add(group);
      return !blocked.has(group);
    });
  }

  #deliver(message: StoredMessage, visibilityMs: number, by: Life): Delivery {
    const { now, random } = this.#world;
    const number = message.deliveries.length + 1;
    const receipt = `${message.id.slice(0, 8)}#${number}`;
    const delivery: Delivery = { message, receipt, number, by, at: now, arrivedAt: null };
    message.deliveries.push(delivery);
    this.#byReceipt.set(receipt, delivery);
    const isTwice = !this.isFifo && random.chance(this.twice);
    if (isTwice) message.disturbedAt = now;
    this.#setVisible(message, isTwice ? random.between(0, 5000) : visibilityMs);
    return delivery;
  }

  #setVisible(message: StoredMessage, inMs: number): void {
    const at = this.#world.now + inMs;
    message.visibleAt = at;
    this.#world.after(inMs, null, () => {
      if (message.fate !== null || message.visibleAt !== at) return;
      this.#watch.visible(message);
      this.#tellPolls();
    });
  }

  #move(message: StoredMessage, { target }: Redrive): void {
    this.#end(message, { kind: "moved" });
    this.#world.say("sqs", `${message.id.slice(0, 8)} is moved to the dead letters by the redrive policy`);
    this.#watch.moved(message);
    target.send({ ...message, deduplicationId: message.id });
  }

  #end(message: StoredMessage, fate: Fate): void {
    message.fate = fate;
    this.#live = this.#live.filter((one) => one !== message);
    this.#tellPolls();
  }

  /** @param isLate - it was asked for some time ago. */
  change(receipt: string, seconds: number, isLate: boolean): "done" | "invalid" | "not in flight" {
    const delivery = this.#byReceipt.get(receipt);
    if (!delivery) return "invalid";
    const { message } = delivery;
    if (message.fate !== null || message.visibleAt <= this.#world.now) return "not in flight";
    const isNewest = message.deliveries.at(-1) === delivery;
    if (!isNewest && (this.isFifo || !this.#world.random.chance(STALE_WORKS))) return "invalid";
    if (!isNewest || isLate) message.disturbedAt = this.#world.now;
    this.#setVisible(message, seconds * 1000);
    return "done";
  }

  remove(receipt: string): "done" | "invalid" {
    const delivery = this.#byReceipt.get(receipt);
    if (!delivery) return "invalid";
    const { message } = delivery;
    if (message.fate !== null) return "done";
    const isNewest = message.deliveries.at(-1) === delivery;
    const isExpired = message.visibleAt <= this.#world.now;
    if (this.isFifo && (isExpired || !isNewest)) return "invalid";
    // It says so, and may keep the message all the same.
    if (!isNewest && !this.#world.random.chance(STALE_WORKS)) return "done";
    this.#end(message, { kind: "deleted", delivery });
    this.#world.say("sqs", `${receipt} is deleted`);
    this.#watch.deleted(message, delivery);
    return "done";
  }

  /** Calls back when something may be there. Gives the way to call it off. */
  wait(callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  }

  #tellPolls(): void {
    for (const callback of this.#waiting) this.#world.after(0, null, () => this.#waiting.has(callback) && callback());
  }
}
