import type { Goal, Ports } from "./ports.ts";

/** Whether a worker has done what it was started for. Asked when nothing runs. */
export class GoalWatch {
  readonly #goal: Goal;
  readonly #ports: Pick<Ports, "store" | "queues" | "clock">;
  readonly #wake: () => void;
  #unwatchJobs: (() => void) | null = null;
  #idleSince: number;

  constructor(goal: Goal, ports: Pick<Ports, "store" | "queues" | "clock">, wake: () => void) {
    this.#goal = goal;
    this.#ports = ports;
    this.#wake = wake;
    this.#idleSince = ports.clock.monotonic();
  }

  /** It has something to do. */
  worked(): void {
    this.#idleSince = this.#ports.clock.monotonic();
  }

  /** `isEmpty`: nothing was found when it was last looked, and the dead that were there have been seen to. */
  isReached(isEmpty: boolean): boolean {
    const { drain, whenEmpty } = this.#goal;
    if (whenEmpty && isEmpty) return true;
    if (drain && isEmpty && this.#isDrained()) return true;
    return this.untilIdleExitMs <= 0;
  }

  /** Milliseconds for which nothing must come to do. */
  get untilIdleExitMs(): number {
    const { idleExitMs } = this.#goal;
    if (idleExitMs === null) return Number.POSITIVE_INFINITY;
    return this.#idleSince + idleExitMs - this.#ports.clock.monotonic();
  }

  #isDrained(): boolean {
    const { queues, store } = this.#ports;
    if (queues.every((queue) => queue.isDrained())) return true;
    // Whether other workers are done shows only in their jobs.
    this.#unwatchJobs ??= store.watch("jobs", this.#wake);
    return false;
  }

  close(): void {
    this.#unwatchJobs?.();
  }
}
