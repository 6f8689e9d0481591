import type { StoreDatabase } from "./database.ts";
import type { Cause, Ending, Job } from "./job.ts";
import type { Phase } from "./phases.ts";

/** The upper limits of the histogram of durations, in milliseconds, as the schema's trigger has them. */
export const DURATION_LIMITS_MS: readonly number[] = [
  100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 14_400_000, 86_400_000,
];

/** Jobs of a definition in a phase; those without a definition have the empty name. */
export interface JobCount {
  readonly definition: string;
  readonly phase: Phase;
  readonly jobs: number;
}

export interface AttemptCount {
  readonly definition: string;
  readonly ending: Ending["kind"];
  /** Empty: nobody made them end. */
  readonly cause: Cause | "";
  /** What they left their jobs in. */
  readonly phase: Phase;
  readonly attempts: number;
}

/** Attempts whose process ended, by how long it had run. */
export interface DurationCount {
  readonly definition: string;
  /** The first of {@link DURATION_LIMITS_MS} that they kept; -1: none. */
  readonly limitMs: number;
  readonly attempts: number;
  /** Of all of them in sum. */
  readonly ms: number;
}

export interface LeaseCount {
  readonly queue: string;
  readonly beatsMissed: number;
  readonly leasesLost: number;
}

/** Jobs that a worker of the store's own queue could take now; as the index `jobs_ready` has them. */
const READY = "INDEXED BY jobs_ready WHERE phase = 'QUEUED' AND available_at IS NULL AND waiting = 0";

/** Of more priorities the oldest job is not looked for. */
const MOST_PRIORITIES = 100;

/** Of each priority the job that is its next one, and of these the oldest. */
const OLDEST_READY = `WITH RECURSIVE levels(priority) AS (
    SELECT (SELECT priority FROM jobs ${READY} ORDER BY priority DESC, seq LIMIT 1)
    UNION ALL
    SELECT (SELECT jobs.priority FROM jobs ${READY} AND jobs.priority < levels.priority
        ORDER BY jobs.priority DESC, seq LIMIT 1)
      FROM levels WHERE levels.priority IS NOT NULL LIMIT ${MOST_PRIORITIES}
  )
  SELECT min(created_at) AS at FROM jobs WHERE seq IN (
    SELECT (SELECT seq FROM jobs ${READY} AND jobs.priority = levels.priority ORDER BY seq LIMIT 1)
      FROM levels WHERE levels.priority IS NOT NULL)`;

/** Where this one is not among the first so many, all that are queued are taken to come before it. */
const MOST_AHEAD = 1000;

const AHEAD = `SELECT count(*) AS looked, coalesce(sum(priority > ?1 OR (priority = ?1 AND seq < ?2)), 0) AS ahead
  FROM (SELECT priority, seq FROM jobs ${READY} ORDER BY priority DESC, seq LIMIT ${MOST_AHEAD})`;

/** What is counted, at a cost that does not grow with the jobs. */
export class Tallies {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** Of one owner, or of everybody. */
  jobs(owner: string | null = null): JobCount[] {
    if (owner !== null) {
      const sql = "SELECT definition, phase, jobs FROM job_counts WHERE owner = ?";
      return this.#database.all<JobCount>(sql, owner);
    }
    return this.#database.all<JobCount>("SELECT definition, phase, sum(jobs) AS jobs FROM job_counts GROUP BY 1, 2");
  }

  /** How many jobs of all definitions are in this phase. */
  inPhase(phase: Phase): number {
    const sql = "SELECT coalesce(sum(jobs), 0) AS jobs FROM job_counts WHERE phase = ?";
    return this.#database.get<{ jobs: number }>(sql, phase)?.jobs ?? 0;
  }

  attempts(): AttemptCount[] {
    return this.#database.all<AttemptCount>(
      `SELECT definition, ending, cause, phase, sum(attempts) AS attempts FROM attempt_counts GROUP BY 1, 2, 3, 4`,
    );
  }

  durations(): DurationCount[] {
    return this.#database.all<DurationCount>(
      `SELECT definition, limit_ms AS limitMs, sum(attempts) AS attempts, sum(ms) AS ms FROM attempt_counts
        WHERE ending IN ('exited', 'signalled') GROUP BY 1, 2`,
    );
  }

  leases(): LeaseCount[] {
    return this.#database.all<LeaseCount>(
      "SELECT queue, beats_missed AS beatsMissed, leases_lost AS leasesLost FROM lease_counts",
    );
  }

  /** Within a transaction. */
  beatMissed(queue: string): void {
    this.#database.run(
      `INSERT INTO lease_counts(queue, beats_missed) VALUES(?, 1)
        ON CONFLICT DO UPDATE SET beats_missed = beats_missed + 1`,
      queue,
    );
  }

  /** Within a transaction. */
  leaseLost(queue: string): void {
    this.#database.run(
      `INSERT INTO lease_counts(queue, leases_lost) VALUES(?, 1)
        ON CONFLICT DO UPDATE SET leases_lost = leases_lost + 1`,
      queue,
    );
  }

  /** When the oldest of the jobs was made that could be run now; null: there is none. */
  oldestReady(): number | null {
    return this.#database.get<{ at: number | null }>(OLDEST_READY)?.at ?? null;
  }

  /** How many jobs the queue gives out before this one. */
  ahead({ priority, seq }: Pick<Job, "priority" | "seq">): number {
    const row = this.#database.get<{ looked: number; ahead: number }>(AHEAD, priority, seq);
    return row && row.ahead < MOST_AHEAD ? row.ahead : this.inPhase("QUEUED");
  }

  /** Milliseconds that a job of this definition takes; null: none has completed yet. */
  pace(definition: string): number | null {
    return this.#database.get<{ ms: number }>("SELECT ms FROM paces WHERE definition = ?", definition)?.ms ?? null;
  }

  /** Milliseconds that one of the jobs takes that are queued, where nothing is known of its definition `otherwise`. */
  queuedPace(otherwise: number): number {
    const sql = `SELECT sum(job_counts.jobs * coalesce(ms, ?)) / sum(job_counts.jobs) AS ms
      FROM job_counts LEFT JOIN paces USING(definition) WHERE phase = 'QUEUED' AND job_counts.jobs > 0`;
    return this.#database.get<{ ms: number | null }>(sql, otherwise)?.ms ?? otherwise;
  }

  /** Within a transaction: writes something, to see whether that can be done. */
  leaveMark(at: number): void {
    this.#database.run("INSERT OR REPLACE INTO meta(name, value) VALUES('written_at', ?)", String(at));
  }
}
