import type { Clock } from "../clock.ts";
import type { RunningTree, Slot, StopOrder } from "../process/port.ts";
import type { Message } from "../queue/port.ts";
import type { Cause, Inputs, Job } from "../store/job.ts";
import type { Planned } from "./plan.ts";

/** A job whose start is on disk. */
export interface Started {
  readonly message: Message;
  readonly job: Job;
  readonly inputs: Inputs;
  readonly planned: Planned;
  readonly slot: Slot;
  readonly startedAt: number;
}

/** A job that this worker runs, for those who make it end. The first cause counts. */
export class ActiveJob {
  readonly started: Started;
  readonly #graceLeft: () => number;
  readonly #timers: (() => void)[] = [];
  readonly #standStill = Promise.withResolvers<"stand still">();
  #tree: RunningTree | null = null;
  #cause: Cause | null = null;
  #by: string | null = null;
  #exited = false;

  constructor(started: Started, graceLeft: () => number) {
    this.started = started;
    this.#graceLeft = graceLeft;
  }

  get cause(): Cause | null {
    return this.#cause;
  }

  /** Who asked for it, where the cause is an abort. */
  get by(): string | null {
    return this.#by;
  }

  /** Milliseconds of grace never outlast what is left of the stop budget. */
  stopOrder(): StopOrder {
    const { limits } = this.started.planned;
    return { signal: limits.stopSignal, graceMs: Math.min(limits.graceMs, this.#graceLeft()) };
  }

  /** What has ended by itself has ended: false then, and when there was a cause already. */
  end(cause: Cause, by: string | null = null): boolean {
    if (this.#exited || this.#cause !== null) return false;
    this.#cause = cause;
    this.#by = by;
    this.#carryOut();
    return true;
  }

  /** A cause that came between the claim and the spawn found nothing to end, and is carried out after it. */
  #carryOut(): void {
    if (this.#tree === null || this.#cause === null) return;
    const { planned } = this.started;
    const hasHandler = planned.kind === "plan" && planned.plan.exitHandler !== null;
    if (this.#cause === "stop" && hasHandler) this.#standStill.resolve("stand still");
    else this.#tree.stop(this.stopOrder());
  }

  /** It had ended by itself before it could be made to. */
  pardon(): void {
    this.#cause = null;
  }

  /** Kept when its main process has ended, or when it is to stand still and have its exit handler run. */
  over(tree: RunningTree): Promise<"exited" | "stand still"> {
    return Promise.race([tree.exited.then(() => "exited" as const), this.#standStill.promise]);
  }

  /** A cause that would have come in time, had the job not been so quick. */
  explain(cause: Cause): void {
    this.#cause ??= cause;
  }

  /** The worker must end now. */
  kill(): void {
    this.#tree?.kill();
  }

  begun(tree: RunningTree): void {
    this.#tree = tree;
    this.#carryOut();
  }

  exited(): void {
    this.#exited = true;
    for (const cancel of this.#timers) cancel();
  }

  after(milliseconds: number, clock: Clock, callback: () => void): void {
    this.#timers.push(clock.after(milliseconds, callback));
  }
}
