import type { StoreDatabase } from "./database.ts";
import { JOB_COLUMNS, type Job } from "./job.ts";
import type { Phase } from "./phases.ts";

/** A job that another one waits for. */
export interface Dependency {
  readonly id: string;
  readonly phase: Phase;
}

/** What a job still waits for; one that was forgotten meanwhile is not among them. */
export function unmetDependencies(database: StoreDatabase, job: number): Dependency[] {
  return database.all<Dependency>(
    `SELECT jobs.id, jobs.phase FROM dependencies JOIN jobs ON jobs.seq = dependencies.after
      WHERE dependencies.job = ? AND dependencies.met = 0 ORDER BY jobs.seq`,
    job,
  );
}

/** Jobs in a phase that ended, or were made if they never ended, no later than `before`; at most `limit` of them. */
export function jobsInPhase(database: StoreDatabase, phase: Phase, before: number, limit: number | null): Job[] {
  return database.all<Job>(
    `SELECT ${JOB_COLUMNS} FROM jobs WHERE phase = ?1 AND created_at <= ?2 AND coalesce(ended_at, created_at) <= ?2
      ORDER BY created_at, seq LIMIT ?3 + 0`,
    phase,
    before,
    limit ?? -1,
  );
}

/** Jobs whose destruction is due, whatever they do, that ended (or were made) no later than `before`. */
export function expiredJobs(database: StoreDatabase, now: number, before: number, limit: number | null): Job[] {
  return database.all<Job>(
    `SELECT ${JOB_COLUMNS} FROM jobs WHERE destruction <= ?1 AND coalesce(ended_at, created_at) <= ?2
      ORDER BY destruction LIMIT ?3 + 0`,
    now,
    before,
    limit ?? -1,
  );
}
