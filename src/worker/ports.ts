import type { Clock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import type { Emit, JobCounts } from "../events.ts";
import type { Processes } from "../process/port.ts";
import type { Queue } from "../queue/port.ts";
import type { Store } from "../store/store.ts";
import type { Review } from "./review.ts";

/** What the worker is given of the world, so that a test can drive it. */
export interface Ports {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly store: Store;
  /** The store's own, or what stands for it, at most once; the others are elsewhere. */
  readonly queues: readonly Queue[];
  readonly processes: Processes;
  readonly locks: Locks;
  readonly emit: Emit;
  /** Has the last word on what an ending comes to; absent: that is for the job's limits alone. */
  readonly review?: Review;
  /** What modules of jobs are asked by whose the messages of queues elsewhere are; absent: none is. */
  readonly routes?: MessageRoutes;
}

/** Kernel locks (flock(2)): held as long as the process lives, whatever the clock does, freed by any death. */
export interface Locks {
  /** Null: a living process has it. */
  tryTake(directory: string): Lock | null;
}

export interface Lock {
  release(): void;
}

/** What names the place of a worker's processes. */
export interface Host {
  readonly name: string;
  readonly pid: number;
  readonly bootId: string;
  readonly pidNamespace: string;
}

export interface WorkerSettings {
  readonly id: string;
  readonly version: string;
  readonly host: Host;
  readonly concurrency: number;
  /** Milliseconds between looks for dead workers and for what is to be destroyed. */
  readonly recoveryIntervalMs: number;
  /** Milliseconds within which a stop has ended everything. */
  readonly stopBudgetMs: number;
  /** Milliseconds without a first success after which a queue elsewhere is out of reach. */
  readonly connectTimeoutMs: number;
  /** Milliseconds after which a job of which nothing can be known is given up. */
  readonly unknownAfterMs: number;
  /** By their names; of `work -- COMMAND`, which has none, by {@link COMMAND_LINE}. */
  readonly definitions: ReadonlyMap<string, Definition>;
  /** Where definitions' jobs get the variables on their allow-list from. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly goal: Goal;
  /** It was started for one job of its own: what does not concern that is done only if there is time. */
  readonly foreground: boolean;
  /** The end of the worker is the end of all its jobs, also of those that would outlive it. */
  readonly endsOutliving: boolean;
}

/** When a worker ends by itself; with none of these it stays. */
export interface Goal {
  /** Nothing is left to run or to wait for. */
  readonly drain: boolean;
  /** Nothing is there now. */
  readonly whenEmpty: boolean;
  readonly maxJobs: number | null;
  readonly maxTimeMs: number | null;
  readonly idleExitMs: number | null;
}

export const STAY: Goal = { drain: false, whenEmpty: false, maxJobs: null, maxTimeMs: null, idleExitMs: null };

export function stays(goal: Goal): boolean {
  const limits = [goal.maxJobs, goal.maxTimeMs, goal.idleExitMs];
  return !goal.drain && !goal.whenEmpty && limits.every((limit) => limit === null);
}

export interface WorkerEnd {
  readonly counts: JobCounts;
  /** Whether there was anything to run. */
  readonly ranAny: boolean;
}
