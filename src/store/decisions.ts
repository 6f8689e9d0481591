import type { StoreDatabase } from "./database.ts";

/** One line of a job's story: what was decided, by whom, why. */
export interface Decision {
  readonly at: number;
  readonly what: string;
  readonly by: string;
  readonly why: string | null;
}

const ADD = "INSERT INTO decisions(job, at, what, by, why) VALUES(?, ?, ?, ?, ?)";

const OF_JOB = "SELECT at, what, by, why FROM decisions WHERE job = ? ORDER BY number";

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
