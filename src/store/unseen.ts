import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { Dependents } from "./dependents.ts";
import type { JobError } from "./job.ts";
import { ENDED_LIFETIME_MS } from "./lifetimes.ts";

const ERROR: JobError = {
  message: "its lease was lost, and its message was not seen here again",
  type: "transient",
  cause: "lease lost",
};

// Their attempts have ended; those whose worker is dead have one that has not.
const UNSEEN = `SELECT seq, id FROM jobs INDEXED BY jobs_phase JOIN attempts ON job = seq AND number = jobs.attempts
  WHERE phase = 'UNKNOWN' AND attempts.ended_at <= ?`;

const GIVE_UP = `UPDATE jobs SET phase = 'ERROR', ended_at = ?2, verdict = 'leave', error = ?3,
    destruction = iif(destruction_kept, destruction, ?4)
  WHERE seq = ?1 AND phase = 'UNKNOWN' AND worker IS NULL`;

/** Jobs whose lease was lost: another host may run them, or their messages are gone. Nobody here can know. */
export class Unseen {
  readonly #database: StoreDatabase;
  readonly #decisions: Decisions;
  readonly #dependents: Dependents;

  constructor(database: StoreDatabase, decisions: Decisions, dependents: Dependents) {
    this.#database = database;
    this.#decisions = decisions;
    this.#dependents = dependents;
  }

  /** Those that were lost by then, and have not come again. */
  since(lostBefore: number): { readonly seq: number; readonly id: string }[] {
    return this.#database.all(UNSEEN, lostBefore);
  }

  /** Within a transaction. Gives whether it had not come again meanwhile. */
  giveUp(seq: number, at: number, by: string): boolean {
    if (this.#database.run(GIVE_UP, seq, at, JSON.stringify(ERROR), at + ENDED_LIFETIME_MS) === 0) return false;
    this.#dependents.ended(seq, "ERROR", at);
    this.#decisions.add(seq, at, "ERROR", by, ERROR.message);
    return true;
  }
}
