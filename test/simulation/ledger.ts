import type { NewJob } from "../../src/store/submission.ts";
import type { Limits } from "../../src/config/definition.ts";
import type { Row } from "./observer.ts";

/** All that was ever asked and seen of one job, apart from the store. */
export interface JobRecord {
  readonly spec: NewJob;
  readonly limits: Limits;
  /** Whether whoever submitted it was told that it is there, or that it is not. */
  answer: "none" | "told" | "refused";
  /** Someone asked for its removal. */
  mayGo: boolean;
  startedByHand: boolean;
  /** As it was last seen. */
  row: Row | null;
  gone: boolean;
  /** When its abort was first seen on disk. */
  abortSeenAt: number | null;
  /** Whoever asked for the abort of the running job was told that it is noted. */
  abortTold: boolean;
  /** When its attempts were seen to begin, in monotonic time. */
  readonly claimed: Map<number, number>;
  /** Whether something cleans up after it. */
  readonly handled: boolean;
  /** How often it was seen to become SUSPENDED. */
  suspensions: number;
  /** Somebody has asked for its suspension. */
  wasToStandStill: boolean;
  /** It was to go on at some time since it became SUSPENDED. */
  resumed: boolean;
  /** Milliseconds that its main process ran the last time, as far as its worker saw. */
  lastRanMs: number;
  /** The sum of these, of all attempts whose worker told the end. */
  ranMs: number;
  /** The attempts that were started, each at most once. */
  readonly spawned: Set<number>;
  /** The jobs that took its place, one after the other. */
  readonly retriedAs: Set<string>;
}

/** What the checks know, by job. */
export class Ledger {
  readonly jobs = new Map<string, JobRecord>();

  asked(spec: NewJob, limits: Limits): JobRecord {
    const record: JobRecord = {
      spec,
      limits,
      answer: "none",
      mayGo: false,
      startedByHand: false,
      row: null,
      gone: false,
      abortSeenAt: null,
      abortTold: false,
      claimed: new Map(),
      handled: spec.context.kind === "definition" || spec.context.exitHandler !== undefined,
      suspensions: 0,
      wasToStandStill: false,
      resumed: false,
      lastRanMs: 0,
      ranMs: 0,
      spawned: new Set(),
      retriedAs: new Set(),
    };
    this.jobs.set(spec.id, record);
    return record;
  }

  get(id: string): JobRecord | undefined {
    return this.jobs.get(id);
  }

  /** Whether the job, or one that took its place, has been seen COMPLETED. */
  hasCompleted(id: string): boolean {
    const record = this.get(id);
    if (!record) return false;
    return record.row?.phase === "COMPLETED" || [...record.retriedAs].some((other) => this.hasCompleted(other));
  }
}
