import type { Clock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import type { Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import type { Access } from "./authentication.ts";
import type { WorkerRow } from "../store/workers.ts";
import type { ServiceLimits } from "./limits.ts";
import type { Health } from "./health.ts";
import type { History, LastDay } from "./history.ts";
import type { LivePages } from "./live-pages.ts";
import type { Sparing } from "./sparing.ts";
import type { Waiters } from "./waiters.ts";

/** What the service works with. */
export interface ServicePorts {
  readonly store: Store;
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly limits: ServiceLimits;
  /** Who may use it, and have what. */
  readonly access: Access;
  /** By what names it is known beside those of the loopback, in small letters. */
  readonly hosts: ReadonlySet<string>;
  /** Whether somebody's word on how clients know it is taken, by their address. */
  readonly isProxy: (address: string) => boolean;
  /** What jobs write while they run; absent: that is not known here. */
  readonly live?: LiveJobs;
  /** Whether a worker's process lives. */
  readonly isAlive: (worker: WorkerRow) => boolean;
  /** Told why nothing can be answered any more: the store's file is gone, or another. */
  readonly onGone: (error: unknown) => void;
  /** Told of what went wrong here and is not the client's fault. */
  readonly onFault: (error: unknown) => void;
}

/** The end of what an attempt wrote. */
export interface WrittenTail {
  readonly name: string;
  readonly text: string;
  /** There is more before it. */
  readonly isCut: boolean;
}

/** What the jobs of this machine write while they run. */
export interface LiveJobs {
  /** The last lines of its last attempt. */
  tails(job: Job, lines: number): WrittenTail[];
}

/** What pages plot of the last day, read in one moment. */
export interface SeenDay extends LastDay {
  readonly waitingBefore: number;
  /** When it was read. */
  readonly now: number;
}

/** What pages are made with. */
export interface Views {
  readonly live: LivePages;
  readonly history: History;
  readonly activity: Sparing<SeenDay>;
}

/** Whose request it is. */
export interface Caller {
  /** Whose the jobs are that are made, and who sees no others; null: the local user, who sees all. */
  readonly owner: string | null;
  /** For the record. */
  readonly by: string;
}

/** One request, as far as every resource needs it. */
export interface Exchange extends ServicePorts {
  readonly request: Request;
  readonly query: URLSearchParams;
  /** The absolute address of the service, without a slash at its end. */
  readonly base: string;
  readonly caller: Caller;
  readonly waiters: Waiters;
  readonly views: Views;
  readonly health: Health;
}

/** A job list: that of a definition, or of the jobs without one. */
export interface List {
  readonly name: string;
  /** Null: its jobs have none. */
  readonly definition: Definition | null;
  readonly url: string;
}

/** A job of a list. */
export interface ListedJob {
  readonly list: List;
  readonly job: Job;
  readonly url: string;
}
