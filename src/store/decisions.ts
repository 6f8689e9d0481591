import type { StoreDatabase } from "./database.ts";

/** One line of a job's story: what was decided, by whom, why. */
export interface Decision {
  readonly number: number;
  readonly at: number;
  readonly what: string;
  readonly by: string;
  readonly why: string | null;
}

const ADD = `INSERT INTO decisions(job, number, at, what, by, why)
  VALUES(?1, (SELECT coalesce(max(number), 0) + 1 FROM decisions WHERE job = ?1), ?2, ?3, ?4, ?5)`;

const OF_JOB = "SELECT number, at, what, by, why FROM decisions WHERE job = ? ORDER BY number";

/** The rows behind `reeve why`. To be called within a transaction. */
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
