import type { StoreDatabase } from "./database.ts";
import type { AttemptEnd, Job } from "./job.ts";
import type { Migration } from "./migrations.ts";

/** An earlier version hears of none of it. */
export const REPORTS: Migration = {
  minReader: 1,
  sql: `
-- What was heard of the attempt while it ran: bytes of its messages, and the running time that it asked for, if it did.
ALTER TABLE attempts ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN allowed_ms INTEGER;
`,
};

/** What a running job says of itself. */
export interface Report {
  /** Null: nothing yet. */
  readonly progress: AttemptEnd["progress"];
  /** Bytes of its messages that this takes in. */
  readonly heard: number;
  /** Milliseconds that the attempt may run in all, as it asked for; null: as its limits say. */
  readonly allowedMs: number | null;
}

// Neither touches a column that an index or a trigger is on.
const PROGRESS = `UPDATE jobs SET progress = ?3, progress_message = ?4
  WHERE seq = ?1 AND receipt = ?2 AND phase IN ('EXECUTING', 'SUSPENDED')`;

const HEARD = `UPDATE attempts SET heard = ?4, allowed_ms = coalesce(?5, allowed_ms)
  WHERE job = ?1 AND number = ?3 AND ended_at IS NULL
    AND EXISTS (SELECT 1 FROM jobs WHERE seq = ?1 AND receipt = ?2)`;

/** What running jobs say. To be called within a transaction. */
export class Reports {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** Nothing changes of a job that has ended, or is another worker's. */
  take({ seq, receipt, attempts }: Job, { progress, heard, allowedMs }: Report): void {
    const { fraction = null, message = null } = progress ?? {};
    if (progress) this.#database.statement(PROGRESS).run(seq, receipt, fraction, message);
    this.#database.statement(HEARD).run(seq, receipt, attempts, heard, allowedMs);
  }
}
