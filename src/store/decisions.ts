import type { StoreDatabase } from "./database.ts";

/** One line of a job's story: what was decided, by whom, why. */
export interface Decision {
  readonly at: number;
  readonly what: string;
  readonly by: string;
  readonly why: string | null;
}

const ADD = "INSERT INTO decisions(job, at, what, by, why) VALUES(?, ?, ?, ?, ?)";

// At the same millisecond a start comes before what was decided during the attempt, and that before its end.
const OF_JOB = `SELECT at, what, by, why FROM (
    SELECT at, 1 AS rank, number, what, by, why FROM decisions WHERE job = ?1
    UNION ALL
    SELECT started_at, 0, number, 'started', worker, 'attempt ' || number FROM attempts WHERE job = ?1
    UNION ALL
    SELECT ended_at, 2, number, settled_as || iif(verdict = 'leave', '', ', ' || verdict), coalesce(ended_by, worker),
      trim(coalesce(ending, '') || coalesce(' ' || exit_code, '') || coalesce(' ' || signal, '')
        || coalesce(' (' || cause || iif(cause = 'timeout' AND allowed_ms IS NOT NULL, ', as it had asked for itself', '')
        || ')', '') || coalesce(': ' || detail, ''))
      FROM attempts WHERE job = ?1 AND ended_at IS NOT NULL
  ) ORDER BY at, rank, number`;

/** The rows behind `reeve why`. Starts and ends are read from the attempts, the rest is added within a transaction. */
export class Decisions {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  add(job: number, at: number, what: string, by: string, why: string | null = null): void {
    this.#database.statement(ADD).run(job, at, what, by, why);
  }

  of(job: number): Decision[] {
    return this.#database.all<Decision>(OF_JOB, job);
  }
}
