import type { Clock } from "../clock.ts";
import type { RunningTree, Slot, StopOrder } from "../process/port.ts";
import type { Message, RemoteQueue } from "../queue/port.ts";
import type { Cause, Inputs, Job } from "../store/job.ts";
import type { Lease } from "./lease.ts";
import type { Planned } from "./plan.ts";
import { Timers } from "./timers.ts";

/** A job whose start is on disk. */
export interface Started {
  /** The queue elsewhere that has to be told; null: what is recorded is all. */
  readonly queue: RemoteQueue | null;
  readonly message: Message;
  readonly job: Job;
  readonly inputs: Inputs;
  readonly planned: Planned;
  readonly slot: Slot;
  readonly startedAt: number;
  /** Its files are in a directory of its own, and it may go on when its worker ends. */
  readonly outlives: boolean;
  /** Null: this worker starts it. */
  readonly adopted: Adopted | null;
}

/** A job that was started by a worker which has ended. */
export interface Adopted {
  readonly tree: RunningTree;
  /** Milliseconds that it ran before. */
  readonly ranMs: number;
  /** Milliseconds that it may run in all, as it asked for; null: as its limits say. */
  readonly allowedMs: number | null;
  /** Bytes of its messages that were heard before. */
  readonly heard: number;
}

/** What a job has to know of its worker. */
export interface Surroundings {
  readonly clock: Clock;
  /** Milliseconds that a stop of the worker leaves for the job's own grace. */
  readonly graceLeft: () => number;
  /** What a stop of the worker sends first; null: the job's own stop signal. */
  readonly stopSignal: () => StopOrder["signal"] | null;
  /** Has the worker's loop look again. */
  readonly wake: () => void;
  /** The end of the worker is the end of all its jobs. */
  readonly endsOutliving: boolean;
}

/** A job that this worker runs, for those who make it end or stand still. The first cause counts. */
export class ActiveJob {
  readonly started: Started;
  readonly timers: Timers;
  /** Null: it is ours as long as this worker lives. */
  lease: Lease | null = null;
  readonly #around: Surroundings;
  readonly #standStill = Promise.withResolvers<"stand still">();
  /** Null: there was nothing to start, or it is over. */
  readonly #begun = Promise.withResolvers<RunningTree | null>();
  #tree: RunningTree | null = null;
  #cause: Cause | null = null;
  #by: string | null = null;
  #exited = false;
  #isKilled = false;
  #isSuspended = false;
  /** When it began, by the monotonic clock, had it never stood still. */
  #begunAt = 0;
  #cancelTimeout = (): void => {};
  /** By the monotonic clock, in milliseconds: until then a stop leaves it alone. */
  #mayFinishUntil: number | null = null;
  #steered: Promise<void> = Promise.resolve();

  constructor(started: Started, around: Surroundings) {
    this.started = started;
    this.timers = new Timers(around.clock);
    this.#around = around;
    if (started.job.phase === "SUSPENDED") this.#standsStill();
  }

  get cause(): Cause | null {
    return this.#cause;
  }

  /** Who asked for it, where the cause is an abort. */
  get by(): string | null {
    return this.#by;
  }

  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** Milliseconds that it has run; that it stood still is not counted. */
  get ranMs(): number {
    return Math.max(0, this.#around.clock.monotonic() - this.timers.pausedMs - this.#begunAt);
  }

  /** The worker may end before it, which then goes on. What is being ended is not left half-way. */
  get isLeftAlone(): boolean {
    const isFree = this.started.outlives && !this.#around.endsOutliving;
    const runs = this.started.adopted !== null || this.#tree !== null;
    return isFree && runs && this.#cause === null && !this.#exited;
  }

  /** It is the next worker's. */
  letGo(): void {
    this.timers.cancel();
    (this.#tree ?? this.started.adopted?.tree)?.letGo();
  }

  /** Milliseconds of grace never outlast what is left of the stop budget. */
  stopOrder(): StopOrder {
    const { limits } = this.started.planned;
    const signal = (this.#cause === "stop" ? this.#around.stopSignal() : null) ?? limits.stopSignal;
    return { signal, graceMs: Math.min(limits.graceMs, this.#around.graceLeft()) };
  }

  /** What has ended by itself has ended: false then, and when there was a cause already. */
  end(cause: Cause, by: string | null = null): boolean {
    if (this.#exited || this.#cause !== null || this.#tree?.hasEnded()) return false;
    this.#cause = cause;
    this.#by = by;
    // From here on it goes on only to end.
    this.#isSuspended = false;
    this.#carryOut();
    return true;
  }

  /** It has so many milliseconds more, whatever it had before. */
  mayRunFor(milliseconds: number): void {
    this.#cancelTimeout();
    if (!this.#exited) this.#cancelTimeout = this.timers.after(Math.max(0, milliseconds), () => this.end("timeout"));
  }

  /** The worker stops: the job is ended, after the time that it has to finish by itself. */
  endByStop(): boolean {
    if (this.isLeftAlone) return false;
    // What stands still does not finish.
    if (this.#isSuspended) return this.end("stop");
    const { clock, graceLeft, wake } = this.#around;
    const { finishMs } = this.started.planned.limits;
    if (this.#mayFinishUntil === null && finishMs > 0 && !this.#exited) {
      const forMs = Math.min(finishMs, graceLeft());
      this.#mayFinishUntil = clock.monotonic() + forMs;
      this.timers.after(forMs, wake);
    }
    return clock.monotonic() >= (this.#mayFinishUntil ?? 0) && this.end("stop");
  }

  /** A cause that came between the claim and the spawn found nothing to end, and is carried out after it. */
  #carryOut(): void {
    if (this.#tree === null || this.#cause === null) return;
    const { planned } = this.started;
    const hasHandler = planned.kind === "plan" && planned.plan.exitHandler !== null;
    if (this.#cause === "stop" && hasHandler) return this.#standForHandler();
    this.timers.resume();
    this.#tree.stop(this.stopOrder());
  }

  #standForHandler(): void {
    this.timers.pause();
    this.#standStill.resolve("stand still");
  }

  /** A cause that would have come in time, had the job not been so quick. */
  explain(cause: Cause, by: string | null = null): void {
    if (this.#cause !== null) return;
    this.#cause = cause;
    this.#by = by;
  }

  /** It had ended by itself before it could be made to. */
  pardon(): void {
    this.#cause = null;
  }

  /** The worker must end now. */
  kill(): void {
    if (this.#isKilled || this.isLeftAlone) return;
    this.#isKilled = true;
    if (!this.#exited && this.#tree?.hasEnded() !== true) this.#cause ??= "stop";
    this.#tree?.kill();
  }

  begun(tree: RunningTree): void {
    this.#tree = tree;
    // It may have been asked to stand still before it was started.
    this.#begunAt = this.#around.clock.monotonic() - this.timers.pausedMs - (this.started.adopted?.ranMs ?? 0);
    this.#begun.resolve(tree);
    if (this.#isKilled) tree.kill();
    else this.#carryOut();
  }

  /** Kept when its main process has ended, or when it is to stand still and have its exit handler run. */
  over(tree: RunningTree): Promise<"exited" | "stand still"> {
    return Promise.race([tree.exited.then(() => "exited" as const), this.#standStill.promise]);
  }

  exited(): void {
    this.#exited = true;
    this.#begun.resolve(null);
    this.timers.cancel();
  }

  /** The whole tree stands still, and so does its time. False: it runs no more, or is being ended, or did already. */
  async suspend(): Promise<boolean> {
    if (this.#exited || this.#cause !== null || this.#isSuspended) return false;
    this.#standsStill();
    const tree = await this.#begun.promise;
    await tree?.suspend();
    return this.#isSuspended && !this.#exited && tree?.hasEnded() !== true;
  }

  #standsStill(): void {
    this.#isSuspended = true;
    this.timers.pause();
  }

  resume(): boolean {
    if (!this.#isSuspended) return false;
    this.#isSuspended = false;
    this.timers.resume();
    this.#tree?.resume();
    return !this.#exited;
  }

  /** Suspensions and resumptions come one after the other. */
  inTurn(steer: () => Promise<void>): Promise<void> {
    this.#steered = this.#steered.then(steer);
    return this.#steered;
  }
}
