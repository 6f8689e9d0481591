import { Backoff, POLL_BACKOFF } from "../queue/backoff.ts";
import { QueueTrouble, type RemoteQueue } from "../queue/port.ts";
import { unavailable, type ReeveError } from "../errors.ts";
import type { Ports } from "./ports.ts";

export interface PollingOptions {
  readonly ports: Pick<Ports, "clock" | "random" | "emit">;
  readonly queues: readonly RemoteQueue[];
  readonly concurrency: number;
  /** Milliseconds without a first success after which a queue is out of reach. */
  readonly connectTimeoutMs: number;
  /** Slots that messages could be put into now. */
  readonly room: () => number;
  /** Polls with so many slots set aside; gives how many jobs were started. */
  readonly poll: (queue: RemoteQueue, max: number, waitSeconds: number) => Promise<number>;
  /** A poll has ended. */
  readonly ended: (started: number) => void;
  /** Whoever asks is to learn how it stands with a queue; null: well. */
  readonly onHealth: (trouble: string | null) => void;
  /** A queue is out of reach. */
  readonly onUnreachable: (error: ReeveError) => void;
  readonly onFault: (error: unknown) => void;
}

/** Beside queues that have work an empty one is looked at so often, and not waited for. */
const LOOK_EVERY_MS = 1000;
/** What goes on failing is told again after so long. */
const TELL_AGAIN_MS = 60_000;

/** One queue, as it is polled. */
class Poller {
  readonly queue: RemoteQueue;
  readonly backoff: Backoff;
  /** Polls under way. */
  underway = 0;
  /** Polls that may be under way together: more when each brings all it can, one when there is nothing. */
  lanes = 1;
  /** Whether the last answer had nothing; null: there was none yet. */
  isEmpty: boolean | null = null;
  notBefore = Number.NEGATIVE_INFINITY;
  /** What it has had of the slots, by its weight: who has had least is next. */
  share = 0;
  failingSince: number | null = null;
  toldAt = Number.NEGATIVE_INFINITY;

  constructor(queue: RemoteQueue, random: () => number) {
    this.queue = queue;
    this.backoff = new Backoff(POLL_BACKOFF, random);
  }
}

/**
 * Polls queues elsewhere for as many messages as can be started, and never more. An empty queue is waited for with one
 * long poll; one beside others that have work is only looked at, so that its poll keeps no slot from them.
 */
export class Polling {
  readonly #options: PollingOptions;
  readonly #pollers: readonly Poller[];
  #cancel: () => void = () => {};
  #isClosed = false;

  constructor(options: PollingOptions) {
    this.#options = options;
    this.#pollers = options.queues.map((queue) => new Poller(queue, options.ports.random));
  }

  get isUnderway(): boolean {
    return this.#pollers.some(({ underway }) => underway > 0);
  }

  /** Whether each queue was polled, and had nothing the last time. */
  get foundNothing(): boolean {
    return this.#pollers.every(({ isEmpty }) => isEmpty === true);
  }

  /** Starts as many polls as there are slots and work for. `mostSeconds`: none waits longer. */
  go(mostSeconds: number): void {
    const now = this.#options.ports.clock.monotonic();
    for (const poller of this.#inTurn()) {
      while (now >= poller.notBefore && poller.underway < poller.lanes && this.#options.room() > 0) {
        this.#poll(poller, mostSeconds);
      }
    }
    this.#wakeFor(now);
  }

  #inTurn(): Poller[] {
    return this.#pollers.toSorted((a, b) => a.share - b.share);
  }

  /** Those that are waiting for their time are looked at again then. */
  #wakeFor(now: number): void {
    this.#cancel();
    const waiting = this.#pollers.filter(({ notBefore }) => notBefore > now).map(({ notBefore }) => notBefore);
    if (waiting.length === 0) return;
    this.#cancel = this.#options.ports.clock.after(Math.min(...waiting) - now, () => this.#options.ended(0));
  }

  #poll(poller: Poller, mostSeconds: number): void {
    const max = this.#mayTake(poller);
    poller.underway += 1;
    const begun = this.#options.ports.clock.monotonic();
    const polled = this.#options.poll(poller.queue, max, Math.min(mostSeconds, this.#waitSeconds(poller)));
    polled
      .then(
        (started) => this.#answered(poller, started, begun),
        (error: unknown) => this.#failed(poller, error, begun),
      )
      .catch(this.#options.onFault);
  }

  /** All that is free, for a queue that is alone or has nobody beside it that wants some. */
  #mayTake(poller: Poller): number {
    const room = Math.min(this.#options.room(), poller.queue.mostAtOnce);
    if (this.#pollers.length === 1) return room;
    if (this.#isLongPoll(poller)) return 1;
    const wanting = this.#pollers.filter((one) => one === poller || (one.isEmpty !== true && one.underway === 0));
    const weights = wanting.reduce((sum, { queue }) => sum + queue.weight, 0);
    return Math.max(1, Math.floor((room * poller.queue.weight) / weights));
  }

  #isLongPoll(poller: Poller): boolean {
    return this.#pollers.every((one) => one === poller || one.isEmpty === true);
  }

  #waitSeconds(poller: Poller): number {
    if (this.#pollers.length === 1) return Number.POSITIVE_INFINITY;
    if (!this.#isLongPoll(poller)) return 0;
    // With fewer slots than queues they take turns.
    return this.#pollers.length > this.#options.concurrency ? 1 : Number.POSITIVE_INFINITY;
  }

  #answered(poller: Poller, started: number, begun: number): void {
    const { queue } = poller;
    poller.underway -= 1;
    this.#healed(poller);
    // A queue that was empty has saved up nothing.
    if (poller.isEmpty !== false) poller.share = Math.max(poller.share, this.#leastShare());
    poller.isEmpty = started === 0;
    poller.share += started / queue.weight;
    poller.lanes = started === queue.mostAtOnce ? Math.min(poller.lanes * 2, this.#options.concurrency) : 1;
    // A poll that waited was a pause in itself; a server may also give its nothing at once.
    if (started === 0) poller.notBefore = begun + LOOK_EVERY_MS;
    this.#options.ended(started);
  }

  #leastShare(): number {
    const busy = this.#pollers.filter(({ isEmpty }) => isEmpty === false);
    return busy.length === 0 ? 0 : Math.min(...busy.map(({ share }) => share));
  }

  #healed(poller: Poller): void {
    const { emit } = this.#options.ports;
    if (poller.toldAt > Number.NEGATIVE_INFINITY) {
      emit({ type: "queue healed", queue: poller.queue.name });
      this.#options.onHealth(null);
    }
    poller.backoff.succeeded();
    poller.failingSince = null;
    poller.toldAt = Number.NEGATIVE_INFINITY;
  }

  #failed(poller: Poller, error: unknown, begun: number): void {
    const { clock, emit } = this.#options.ports;
    if (!(error instanceof QueueTrouble)) throw error;
    poller.underway -= 1;
    // It was broken off by us.
    if (this.#isClosed) return this.#options.ended(0);
    const now = clock.monotonic();
    // A queue that does not answer has been failing since it was asked.
    poller.failingSince ??= begun;
    const forMs = poller.backoff.failed();
    poller.notBefore = now + forMs;
    if (poller.isEmpty === null) this.#mayBeUnreachable(poller, error, now - poller.failingSince);
    if (now - poller.toldAt >= TELL_AGAIN_MS) {
      poller.toldAt = now;
      this.#options.onHealth(error.message);
      emit({ type: "queue trouble", queue: poller.queue.name, what: error.message, hint: error.hint, forMs });
    }
    this.#options.ended(0);
  }

  /** Before a first success nobody can say whether it was ever there. */
  #mayBeUnreachable({ queue }: Poller, { kind, message, hint }: QueueTrouble, failedForMs: number): void {
    const { connectTimeoutMs, onUnreachable } = this.#options;
    if (kind === "transient" && failedForMs < connectTimeoutMs) return;
    const how = kind === "transient" ? `within ${connectTimeoutMs / 1000} s no poll of it succeeded; ` : "";
    onUnreachable(unavailable(`the queue ${queue.name} is out of reach: ${how}${message}`, hint ?? undefined));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }
}
