import { QueueTrouble, type RemoteQueue } from "../queue/port.ts";
import { unavailable, type ReeveError } from "../errors.ts";
import { hasWork, isBeingServed, Poller } from "./poller.ts";
import type { Ports } from "./ports.ts";

export interface PollingOptions {
  readonly ports: Pick<Ports, "clock" | "random" | "emit">;
  readonly queues: readonly RemoteQueue[];
  readonly concurrency: number;
  /** Milliseconds without a first success after which a queue is out of reach. */
  readonly connectTimeoutMs: number;
  /** It is to be seen whether anything is left: empty queues are asked together, and again when all have answered. */
  readonly inRounds: boolean;
  /** Slots that messages could be put into now. */
  readonly room: () => number;
  /** Whether more slots are likely to be free within so many milliseconds. */
  readonly endWithin: (milliseconds: number) => boolean;
  /** Whether nothing is started any more. */
  readonly takesNoMore: () => boolean;
  /** Polls with so many slots set aside; gives how many jobs were started. */
  readonly poll: (queue: RemoteQueue, max: number, waitSeconds: number) => Promise<number>;
  /** A poll has ended. */
  readonly ended: (started: number) => void;
  /** A queue has answered. */
  readonly onAnswered: () => void;
  /** Whoever asks is to learn how it stands with a queue; null: well. */
  readonly onHealth: (trouble: string | null) => void;
  /** A queue is out of reach. */
  readonly onUnreachable: (error: ReeveError) => void;
  readonly onFault: (error: unknown) => void;
}

/** Beside queues that have work an empty one is looked at so often, and not waited for. */
const LOOK_EVERY_MS = 1000;
/** With fewer slots than queues an empty one is waited for so long before it is another's turn. */
const TURN_SECONDS = 1;
/** What goes on failing is told again after so long. */
const TELL_AGAIN_MS = 60_000;

interface Asked {
  readonly max: number;
  readonly begun: number;
  readonly waitSeconds: number;
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

  /** Whether each queue had nothing when it was last looked at thoroughly. */
  get foundNothing(): boolean {
    return this.#pollers.every(({ isEmpty, hasLooked }) => isEmpty === true && hasLooked);
  }

  /** Were each asked again when its poll ends, there would never be a moment in which none is under way. */
  get #endsRound(): boolean {
    return this.#options.inRounds && this.isUnderway && this.#pollers.every(({ isEmpty }) => isEmpty === true);
  }

  /** Starts as many polls as there are slots and work for. `mostSeconds`: none waits longer. */
  go(mostSeconds: number): void {
    if (this.#isClosed || this.#endsRound) return;
    const now = this.#options.ports.clock.monotonic();
    for (const poller of this.#inTurn()) {
      while (this.#mayPoll(poller, now) && !this.#gathers(poller, now)) this.#poll(poller, mostSeconds);
      poller.queue.hurry(poller.isEmpty === true || this.#options.takesNoMore());
    }
    this.#wakeFor(now);
  }

  /** What may be empty only wants a look, in turn; of those that have work the one first that has had least. */
  #inTurn(): Poller[] {
    const toBeLookedAt = this.#pollers.filter((one) => !hasWork(one)).toSorted((a, b) => a.begun - b.begun);
    return [...toBeLookedAt, ...this.#pollers.filter(hasWork).toSorted((a, b) => a.share - b.share)];
  }

  #mayPoll(poller: Poller, now: number): boolean {
    if (now < poller.notBefore || poller.underway >= poller.lanes || this.#options.room() <= 0) return false;
    // Who has had more leaves the slots that come free to who has had less and is just being asked.
    return !hasWork(poller) || !this.#pollers.some((one) => isBeingServed(one) && one.share < poller.share);
  }

  #gathers({ queue, gathering }: Poller, now: number): boolean {
    return gathering.goesOn(now, this.#options.room() < queue.mostAtOnce ? this.#options.endWithin : () => false);
  }

  /** Those that are waiting for their time are looked at again then. */
  #wakeFor(now: number): void {
    this.#cancel();
    const waiting = this.#pollers.flatMap(({ notBefore, gathering }) => [notBefore, gathering.until]);
    const next = Math.min(...waiting.filter((time) => time > now));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#options.ports.clock.after(next - now, () => this.#options.ended(0));
  }

  #poll(poller: Poller, mostSeconds: number): void {
    const max = this.#mayTake(poller);
    const waitSeconds = Math.min(mostSeconds, this.#waitSeconds);
    const begun = this.#options.ports.clock.monotonic();
    poller.underway += 1;
    poller.begun = begun;
    poller.share += max / poller.queue.weight;
    const ended = (started: number): void => {
      poller.underway -= 1;
      poller.share -= (max - started) / poller.queue.weight;
    };
    const polled = this.#options.poll(poller.queue, max, waitSeconds);
    polled
      .then(
        (started) => {
          ended(started);
          this.#answered(poller, started, { max, begun, waitSeconds });
        },
        (error: unknown) => {
          ended(0);
          this.#failed(poller, error, begun);
        },
      )
      .catch(this.#options.onFault);
  }

  /** All that is free, for a queue that has nobody beside it that wants some. One that is waited for keeps few from others. */
  #mayTake(poller: Poller): number {
    const room = Math.min(this.#options.room(), poller.queue.mostAtOnce);
    if (this.#pollers.length === 1) return room;
    if (this.#isIdle) return 1;
    const now = this.#options.ports.clock.monotonic();
    const wanting = this.#pollers.filter(
      (one) => one === poller || (one.isEmpty !== true && one.underway === 0 && one.notBefore <= now),
    );
    const weights = wanting.reduce((sum, { queue }) => sum + queue.weight, 0);
    return Math.max(1, Math.floor((room * poller.queue.weight) / weights));
  }

  /** Nothing is to be had: there is time to wait for something. */
  get #isIdle(): boolean {
    return this.#pollers.length === 1 || this.#pollers.every(({ isEmpty }) => isEmpty === true);
  }

  get #waitSeconds(): number {
    if (!this.#isIdle) return 0;
    // With fewer slots than queues they take turns.
    const idle = this.#pollers.filter(({ underway }) => underway === 0).length;
    return this.#pollers.length > 1 && this.#options.room() < idle ? TURN_SECONDS : Number.POSITIVE_INFINITY;
  }

  #answered(poller: Poller, started: number, { max, begun, waitSeconds }: Asked): void {
    const { queue } = poller;
    poller.gathering.answered(started, max, this.#options.ports.clock.monotonic() - begun);
    this.#healed(poller);
    this.#options.onAnswered();
    const wasEmpty = poller.isEmpty === true;
    // A queue that was empty has saved up nothing.
    if (!hasWork(poller)) poller.share = Math.max(poller.share, this.#leastShare());
    poller.isEmpty = started === 0;
    poller.hasLooked = poller.isEmpty && waitSeconds >= TURN_SECONDS;
    poller.lanes = started === queue.mostAtOnce ? Math.min(poller.lanes * 2, this.#options.concurrency) : 1;
    // A poll that waited was a pause in itself; a server may also give its nothing at once.
    if (started === 0 && (wasEmpty || !this.#isIdle)) poller.notBefore = begun + LOOK_EVERY_MS;
    this.#options.ended(started);
  }

  #leastShare(): number {
    const busy = this.#pollers.filter(hasWork);
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
