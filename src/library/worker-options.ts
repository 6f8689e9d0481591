import type { Containment } from "../config/definition.ts";
import type { Durability } from "../store/database.ts";
import type { Ending, Settlement } from "../store/job.ts";
import type { GivenDefinitions } from "./definitions.ts";
import type { JobStore } from "./job-store.ts";
import type { Environment } from "./opening.ts";
import type { SqliteQueue, SqsQueue } from "./queues.ts";
import type { ParameterValue } from "./request.ts";
import type { Duration } from "./settings.ts";

/** Where a worker takes its jobs from. */
export type WorkQueue = SqliteQueue | SqsQueue;

/** What a worker is made of. It has the definitions of its store, unless it is given others. */
export interface WorkerOptions extends GivenDefinitions {
  /** The store that it works in, or its directory. It opens it by itself. */
  readonly store: JobStore | string;
  /** One or more; the store's own queue. */
  readonly queue?: WorkQueue | readonly WorkQueue[] | undefined;
  /** Parameters that every message of an SQS queue is given, beside its own. The same one from both is an error. */
  readonly params?: Readonly<Record<string, ParameterValue>> | undefined;
  /** Jobs at once; one for each processor. */
  readonly concurrency?: number | undefined;
  /** What it is called in errors and in the store: letters, digits, `-` and `.`; the host's name. */
  readonly name?: string | undefined;
  /** What the `route` of a module may take for one message; 5 s. */
  readonly routeTimeout?: Duration | undefined;
  /** Within so much time a stop has ended everything; 25 s. */
  readonly stopBudget?: Duration | undefined;
  /** Between looks for dead workers and for what is to be destroyed; 5 s. */
  readonly recoveryInterval?: Duration | undefined;
  /** Without a first success for so long a queue is out of reach; 60 s. */
  readonly connectTimeout?: Duration | undefined;
  /** What holds the trees of its jobs together beside their marks; `"auto"`. */
  readonly containment?: Containment | undefined;
  /** What survives a power cut, see {@link JobStoreOptions}; as its store has it, else `"full"`. */
  readonly durability?: Durability | undefined;
  /** The end of the worker is the end of all its jobs, also of those that would outlive it. */
  readonly endOutliving?: boolean | undefined;
  /** Where jobs of definitions get the variables on their allow-list from; this process's own. */
  readonly environment?: Environment | undefined;
  /**
   * HUP, INT, QUIT, TERM and ABRT stop it (a second one after 2 s: at once), USR1 has it finish, TSTP and CONT have its
   * jobs stand still and go on: from now on until it is disposed of. Without this, signals do what they do to this
   * program anyway.
   */
  readonly handleSignals?: boolean | undefined;
  /** Has the last word on what becomes of a job that has ended, before that is recorded. Called for one at a time. */
  readonly decide?: Decide | undefined;
}

/** An attempt that ended by itself or by a bound of its own, and what its limits make of that. */
export interface EndedAttempt {
  readonly job: string;
  readonly definition: string | null;
  /** 1 is the first. */
  readonly attempt: number;
  /** Which delivery of its message this was; null: its queue does not count. */
  readonly receiveCount: number | null;
  readonly ending: Ending;
  /** What becomes of it unless you say something else. */
  readonly settlement: Settlement;
}

/** `release`: it is put back, due after so much time. `bury`: it is given up, for this reason. */
export type Decision = { readonly release: Duration } | { readonly bury: string };

/** What is to become of a job; undefined: what its limits say. What it throws is told by the event `trouble`. */
export type Decide = (attempt: EndedAttempt) => Decision | undefined;

/** When a worker ends by itself; with none of these it stays. */
export interface RunOptions {
  /** When nothing is left to run, or to wait for, but what a user delayed or held. */
  readonly drain?: boolean | undefined;
  /** After so many jobs. */
  readonly maxJobs?: number | undefined;
  /** After so much time: then it stops. */
  readonly maxTime?: Duration | undefined;
  /** When nothing came for so long. */
  readonly idleExit?: Duration | undefined;
}
