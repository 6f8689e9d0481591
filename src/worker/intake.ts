import type { ReeveError } from "../errors.ts";
import { isRemote, type Queue } from "../queue/port.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { GoalWatch } from "./goal.ts";
import { Polling } from "./polling.ts";
import type { Goal, Ports, WorkerSettings } from "./ports.ts";

export interface IntakeOptions {
  readonly ports: Pick<Ports, "clock" | "random" | "store" | "queues" | "emit" | "routes">;
  readonly settings: Pick<WorkerSettings, "id" | "concurrency" | "connectTimeoutMs" | "stopBudgetMs" | "goal">;
  readonly dispatcher: Pick<Dispatcher, "room" | "takesNoMore" | "shortJobs" | "topUp" | "poll">;
  readonly goal: GoalWatch;
  /** Whether what goes on has been given its places. */
  readonly isReady: () => boolean;
  /** Something ended that the worker's loop may wait for. */
  readonly wake: () => void;
  readonly onUnreachable: (error: ReeveError) => void;
  readonly onFault: (error: unknown) => void;
}

/** What a stop needs for itself after a poll has ended. */
const AFTER_POLL_MS = 3000;
/** In which a queue that is to be emptied, or looked at once, shows whether it has anything. */
const LOOK_SECONDS = 1;

/** Between two records of when a queue answered. */
const POLLED_EVERY_MS = 10_000;
/** So long such a record waits for another to share its commit. */
const POLLED_WITHIN_MS = 1000;

const endsWhenEmpty = ({ drain, whenEmpty }: Goal): boolean => drain || whenEmpty;

/** Gets the dispatcher its work: claims from the store's own queue, and polls those elsewhere. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #own: Queue | null;
  readonly #polling: Polling | null;
  /** Something may have come to be claimable since the last claim. */
  #mayClaim: boolean;
  #claiming = false;
  #foundAny = false;
  #polledAt = Number.NEGATIVE_INFINITY;
  readonly #unlisten: () => void;
  #queueTrouble: string | null = null;
  #toldTrouble: string | null = null;

  constructor(options: IntakeOptions) {
    const { ports, settings, dispatcher } = options;
    const remote = ports.queues.filter(isRemote);
    this.#options = options;
    this.#own = ports.queues.find((queue) => !isRemote(queue)) ?? null;
    this.#mayClaim = this.#own !== null;
    const polls = {
      ports,
      queues: remote,
      concurrency: settings.concurrency,
      connectTimeoutMs: settings.connectTimeoutMs,
      inRounds: endsWhenEmpty(settings.goal),
      room: () =>
        options.isReady() ? Math.min(dispatcher.room, ports.routes?.mayTake ?? Number.POSITIVE_INFINITY) : 0,
      endWithin: (milliseconds: number) => dispatcher.shortJobs.endWithin(milliseconds),
      takesNoMore: () => dispatcher.takesNoMore,
      poll: dispatcher.poll.bind(dispatcher),
      ended: (started: number) => this.#ended(started > 0),
      onAnswered: () => this.#answered(),
      onHealth: (trouble: string | null) => {
        this.#queueTrouble = trouble;
        this.#tellHealth();
      },
      onUnreachable: options.onUnreachable,
      onFault: options.onFault,
    };
    this.#polling = remote.length > 0 ? new Polling(polls) : null;
    const changed = ports.routes?.onChange(() => {
      this.#tellHealth();
      options.wake();
    });
    this.#unlisten = changed ?? (() => {});
  }

  /** Whether there was ever anything to run. */
  get foundAny(): boolean {
    return this.#foundAny;
  }

  /** Whether a poll is under way, which is not to be broken off. */
  get isPolling(): boolean {
    return this.#polling?.isUnderway ?? false;
  }

  get isBusy(): boolean {
    return this.#claiming || this.isPolling;
  }

  /** Whether all that could be claimed was. */
  get hasClaimed(): boolean {
    return !this.#mayClaim;
  }

  /** Whether nothing was there when it was last looked. */
  get foundNothing(): boolean {
    return !this.#mayClaim && (this.#polling?.foundNothing ?? true);
  }

  /** There may be something to claim. */
  poke(): void {
    this.#mayClaim = this.#own !== null;
  }

  #ended(any: boolean): void {
    this.#foundAny ||= any;
    if (any) this.#options.goal.worked();
    this.#options.wake();
  }

  #tellHealth(): void {
    const { ports, settings, onFault } = this.#options;
    const trouble = this.#queueTrouble ?? ports.routes?.trouble ?? null;
    if (trouble === this.#toldTrouble) return;
    this.#toldTrouble = trouble;
    ports.store.write(() => ports.store.workers.ill(settings.id, trouble)).catch(onFault);
  }

  #answered(): void {
    const { ports, settings, onFault } = this.#options;
    const now = ports.clock.now();
    if (Math.abs(now - this.#polledAt) < POLLED_EVERY_MS) return;
    this.#polledAt = now;
    ports.store.write(() => ports.store.workers.polled(settings.id, now), POLLED_WITHIN_MS).catch(onFault);
  }

  /** Beside the worker's loop, since a claim may have to wait for the disk and a stop must not. */
  claim(): void {
    if (!this.#own || !this.#mayClaim || !this.#canClaim) return;
    this.#mayClaim = false;
    this.#claiming = true;
    const claimed = this.#options.dispatcher.topUp(this.#own).then((any) => {
      this.#claiming = false;
      this.#ended(any);
    });
    claimed.catch(this.#options.onFault);
  }

  /** What goes on has been given its places first. */
  get #canClaim(): boolean {
    return !this.#claiming && this.#options.isReady() && this.#options.dispatcher.room > 0;
  }

  poll(): void {
    this.#polling?.go(this.#mostSeconds);
  }

  /** No poll outlasts a stop, nor what the worker was started for. */
  get #mostSeconds(): number {
    const { settings, goal } = this.#options;
    if (endsWhenEmpty(settings.goal)) return LOOK_SECONDS;
    const budgetMs = settings.stopBudgetMs - AFTER_POLL_MS;
    return Math.max(0, Math.floor(Math.min(budgetMs, goal.untilIdleExitMs) / 1000));
  }

  /** Milliseconds until something is due that nobody will wake us for. */
  get sleepMs(): number {
    const { ports, goal } = this.#options;
    if (!this.#own) return goal.untilIdleExitMs;
    if (!this.#canClaim) return Number.POSITIVE_INFINITY;
    const due = this.#own.nextDue();
    const untilDue = due === null ? Number.POSITIVE_INFINITY : due - ports.clock.now();
    return Math.max(0, Math.min(untilDue, goal.untilIdleExitMs));
  }

  /** Says what had to be broken off, and lets the queues finish what they are told beside the jobs. */
  async close(): Promise<void> {
    const { ports } = this.#options;
    if (this.isPolling) {
      const what =
        "a poll had to be broken off: what it was to bring is delivered again when its visibility has run out";
      ports.emit({ type: "trouble", what });
    }
    this.#polling?.close();
    this.#unlisten();
    await Promise.all(ports.queues.filter(isRemote).map((queue) => queue.close()));
  }
}
