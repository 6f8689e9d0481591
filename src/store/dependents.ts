import { UNSTARTED_LIFETIME_MS } from "./lifetimes.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { FinalPhase } from "./phases.ts";

/** What a job waits for in vain: it did not complete, or is not there any more. */
const FAILED = `SELECT 1 FROM dependencies LEFT JOIN jobs AS other ON other.seq = dependencies.after
  WHERE dependencies.job = ?1 AND met = 0 AND coalesce(other.phase, 'ABORTED') IN ('ERROR', 'ABORTED', 'ARCHIVED')`;

/** Jobs that wait for other jobs. To be called within a transaction. */
export class Dependents {
  readonly #database: StoreDatabase;
  readonly #decisions: Decisions;

  constructor(database: StoreDatabase, decisions: Decisions) {
    this.#database = database;
    this.#decisions = decisions;
  }

  /** `job` has ended: what waits for it may run when it completed, and is held when it did not. */
  ended(job: number, phase: FinalPhase, at: number): void {
    const waiting = this.#database
      .statement<{ job: number }>("SELECT job FROM dependencies WHERE after = ? AND met = 0")
      .all(job);
    if (waiting.length === 0) return;
    if (phase === "COMPLETED") this.#met(job);
    else for (const { job: dependent } of waiting) this.#hold(dependent, phase, at);
  }

  #met(job: number): void {
    this.#database.run(
      "UPDATE jobs SET waiting = waiting - 1 WHERE seq IN (SELECT job FROM dependencies WHERE after = ? AND met = 0)",
      job,
    );
    this.#database.run("UPDATE dependencies SET met = 1 WHERE after = ?", job);
  }

  #hold(dependent: number, phase: FinalPhase, at: number): void {
    const held = this.#database.run(
      "UPDATE jobs SET phase = 'HELD', destruction = coalesce(destruction, ?) WHERE seq = ? AND phase = 'QUEUED'",
      at + UNSTARTED_LIFETIME_MS,
      dependent,
    );
    if (held > 0) this.#decisions.add(dependent, at, "HELD", "reeve", `a job that it waits for is ${phase}`);
  }

  /** What waited for `old` waits for `replacement`; what was held for it alone, and not by hand, is queued again. */
  repoint(old: number, replacement: number, at: number): void {
    const waiting = this.#database.all<{ job: number }>(
      "SELECT job FROM dependencies WHERE after = ? AND met = 0",
      old,
    );
    this.#database.run("UPDATE OR REPLACE dependencies SET after = ?2 WHERE after = ?1 AND met = 0", old, replacement);
    for (const { job } of waiting) {
      const queued = this.#database.run(
        `UPDATE jobs SET phase = 'QUEUED', destruction = iif(destruction_kept, destruction, NULL), waiting = (SELECT count(*) FROM dependencies WHERE job = ?1 AND met = 0)
          WHERE seq = ?1 AND phase = 'HELD' AND held_by IS NULL AND NOT EXISTS (${FAILED})`,
        job,
      );
      if (queued > 0) this.#decisions.add(job, at, "QUEUED", "reeve", "the job that it waits for is run again");
    }
  }

  /** RUN by hand: whatever it waited for does not matter any more. */
  drop(job: number): void {
    this.#database.run("DELETE FROM dependencies WHERE job = ?", job);
    this.#database.run("UPDATE jobs SET waiting = 0 WHERE seq = ?", job);
  }
}
