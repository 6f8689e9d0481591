import type { Attempt } from "../../store/attempt.ts";
import type { Job } from "../../store/job.ts";
import { PHASES, type Phase } from "../../store/phases.ts";
import type { Store } from "../../store/store.ts";
import type { WorkerRow } from "../../store/workers.ts";
import type { SessionUsage } from "../../process/usage.ts";
import { isoTime, readDocument } from "../../uws/document.ts";

/** What there is to see of a store in one moment. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly directory: string;
  readonly workers: readonly WorkerNow[];
  /** Jobs by their phases; those that have none are left out. */
  readonly phases: ReadonlyMap<Phase, number>;
  /** Those that run, the longest first. */
  readonly running: readonly RunningJob[];
  /** Attempts that have ended since the store counts them. */
  readonly ended: number;
}

export interface WorkerNow {
  readonly row: WorkerRow;
  readonly isAlive: boolean;
  readonly jobs: number;
}

export interface RunningJob {
  readonly job: Job;
  readonly attempt: Attempt | undefined;
  /** Null: unknown, or its processes cannot be seen from here. */
  readonly usage: SessionUsage | null;
}

/** What of the system a snapshot is made with. */
export interface Surroundings {
  readonly now: () => number;
  readonly isAlive: (worker: WorkerRow) => boolean;
  /** Whether pids of a worker mean the same here. */
  readonly isHere: (worker: WorkerRow) => boolean;
  readonly usage: (leaders: ReadonlySet<number>) => ReadonlyMap<number, SessionUsage>;
}

const RUN: readonly Phase[] = ["EXECUTING", "SUSPENDED", "UNKNOWN"];
/** More than any screen shows. */
const MOST_JOBS = 1000;

export function takeSnapshot(store: Store, around: Surroundings): Snapshot {
  const seen = store.atOnce(() => {
    const jobs = store.jobs.list({ phases: RUN, after: null, owner: null, last: MOST_JOBS });
    return {
      jobs: jobs.map((job) => ({ job, attempt: store.attempts.one(job.seq, job.attempts) })),
      rows: store.workers.all(),
      counts: store.tallies.jobs(),
      ended: store.tallies.attempts().reduce((sum, { attempts }) => sum + attempts, 0),
    };
  });
  const workers = seen.rows.map((row) => ({
    row,
    isAlive: around.isAlive(row),
    jobs: seen.jobs.filter(({ job }) => job.worker === row.id).length,
  }));
  const here = new Set(workers.filter(({ row, isAlive }) => isAlive && around.isHere(row)).map(({ row }) => row.id));
  const pidOf = (one: Pick<RunningJob, "job" | "attempt">): number | null =>
    here.has(one.job.worker ?? "") ? (one.attempt?.pid ?? null) : null;
  const usage = around.usage(new Set(seen.jobs.map(pidOf).filter((pid) => pid !== null)));
  const running = seen.jobs.map((one) => ({ ...one, usage: usage.get(pidOf(one) ?? 0) ?? null }));
  return {
    at: around.now(),
    directory: store.location.directory,
    workers,
    phases: byPhase(seen.counts),
    running: running.toSorted((one, other) => begunAt(one) - begunAt(other) || one.job.seq - other.job.seq),
    ended: seen.ended,
  };
}

export const begunAt = ({ job, attempt }: RunningJob): number => attempt?.startedAt ?? job.startedAt ?? job.createdAt;

function byPhase(counts: readonly { readonly phase: Phase; readonly jobs: number }[]): Map<Phase, number> {
  const sum = (phase: Phase): number =>
    counts.filter((one) => one.phase === phase).reduce((all, { jobs }) => all + jobs, 0);
  return new Map(PHASES.map((phase) => [phase, sum(phase)] as const).filter(([, jobs]) => jobs > 0));
}

/** The same for programs: jobs under the names of UWS. */
export function snapshotDocument(store: Store, { at, directory, workers, phases, running }: Snapshot) {
  return {
    time: isoTime(at),
    store: directory,
    workers: workers.map(({ row, isAlive, jobs }) => ({
      id: row.id,
      host: row.host,
      pid: row.pid,
      version: row.version,
      startTime: isoTime(row.startedAt),
      alive: isAlive,
      concurrency: row.concurrency,
      running: jobs,
      trouble: row.trouble,
    })),
    phases: Object.fromEntries(phases),
    jobs: running.map(({ job, usage }) => ({ ...readDocument(store, job), usage })),
  };
}
