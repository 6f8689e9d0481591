import { TOMBSTONE_MS } from "./lifetimes.ts";
import { rmSync } from "node:fs";
import type { StoreDatabase } from "./database.ts";
import type { Dependents } from "./dependents.ts";
import { JOB_COLUMNS, type Job } from "./job.ts";
import type { StoreLocation } from "./location.ts";
import { isFinal, type Phase } from "./phases.ts";

/** Jobs that no worker can have. */
const IDLE = new Set<Phase>(["PENDING", "QUEUED", "HELD", "COMPLETED", "ERROR", "ABORTED", "ARCHIVED"]);

/** Removes jobs. The rows go in a transaction; the files go after it, from a list that outlives a crash. */
export class Forgetting {
  readonly #database: StoreDatabase;
  readonly #location: StoreLocation;
  readonly #dependents: Dependents;

  constructor(database: StoreDatabase, location: StoreLocation, dependents: Dependents) {
    this.#database = database;
    this.#location = location;
    this.#dependents = dependents;
  }

  /**
   * Within a transaction. A job that a worker has is left alone, and so is one that is to be cleaned up after.
   *
   * @returns whether it is forgotten.
   */
  forget(seq: number, at: number): boolean {
    const job = this.#database.get<Job>(`SELECT ${JOB_COLUMNS} FROM jobs WHERE seq = ?`, seq);
    if (!job || !IDLE.has(job.phase) || job.owed !== null) return false;
    // What waits for a job that will never complete must not wait for ever.
    if (!isFinal(job.phase)) this.#dependents.ended(seq, "ABORTED", at);
    this.#leaveTombstone(job, at);
    this.#database.run("INSERT OR IGNORE INTO removals(path) VALUES(?)", this.#location.job(job.id));
    this.#releaseInputs(seq);
    this.#database.run("DELETE FROM jobs WHERE seq = ?", seq);
    return true;
  }

  #leaveTombstone(job: Job, at: number): void {
    const last = this.#database.get<{ messageId: string }>(
      "SELECT message_id AS messageId FROM attempts WHERE job = ? ORDER BY number DESC LIMIT 1",
      job.seq,
    );
    this.#database.run(
      `INSERT OR REPLACE INTO tombstones(id, message_id, phase, verdict, copied, forgotten_at, until)
        VALUES(?, ?, ?, ?, ?, ?, ?)`,
      job.id,
      last?.messageId ?? null,
      job.phase,
      job.verdict,
      job.copied,
      at,
      at + TOMBSTONE_MS,
    );
  }

  /** The environment and the body of a forgotten job are not kept behind its back. */
  #releaseInputs(seq: number): void {
    const row = this.#database.get<{ context: number; bodyPath: string | null }>(
      "SELECT context, body_path AS bodyPath FROM inputs WHERE job = ?",
      seq,
    );
    this.#database.run("DELETE FROM inputs WHERE job = ?", seq);
    if (!row) return;
    if (row.bodyPath !== null) this.#removeUnnamed(row.bodyPath);
    this.#database.run("UPDATE contexts SET uses = uses - 1 WHERE id = ?", row.context);
    this.#database.run("DELETE FROM contexts WHERE id = ? AND uses <= 0", row.context);
  }

  #removeUnnamed(bodyPath: string): void {
    this.#database.run(
      `INSERT OR IGNORE INTO removals(path)
        SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM inputs WHERE body_path = ?1)`,
      bodyPath,
    );
  }

  /** Jobs whose destruction is due, whatever they do. */
  due(at: number, limit: number): Job[] {
    return this.#database.all<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs WHERE destruction <= ? ORDER BY destruction LIMIT ? + 0`,
      at,
      limit,
    );
  }

  hasOldTombstones(at: number): boolean {
    return this.#database.get("SELECT 1 FROM tombstones WHERE until <= ? LIMIT 1", at) !== undefined;
  }

  /** Within a transaction. */
  dropOldTombstones(at: number): void {
    this.#database.run("DELETE FROM tombstones WHERE until <= ?", at);
  }

  /** The directories that are still to go. */
  removals(): string[] {
    return this.#database.all<{ path: string }>("SELECT path FROM removals").map((row) => row.path);
  }

  isToBeRemoved(path: string): boolean {
    return this.#database.get("SELECT 1 FROM removals WHERE path = ?", path) !== undefined;
  }

  /**
   * Removes files, after the commit that listed them. Gives the paths that are gone; the others stay listed for the
   * next time.
   */
  removeFiles(paths: readonly string[]): { gone: string[]; failures: { path: string; error: unknown }[] } {
    const gone: string[] = [];
    const failures: { path: string; error: unknown }[] = [];
    for (const path of paths) {
      try {
        rmSync(path, { recursive: true, force: true });
        gone.push(path);
      } catch (error) {
        failures.push({ path, error });
      }
    }
    return { gone, failures };
  }

  /** Within a transaction. */
  removed(paths: readonly string[]): void {
    for (const path of paths) this.#database.run("DELETE FROM removals WHERE path = ?", path);
  }
}
