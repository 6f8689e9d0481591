import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { Cause, CleanUp, Ending, Settlement } from "./job.ts";

/** An exit handler as it was when its attempt began. */
export interface ExitHandler {
  readonly argv: readonly string[];
  readonly cwd: string;
}

/** Where the processes of a try are: it may have been begun by another worker than the attempt. */
export interface Place {
  readonly bootId: string;
  readonly pidNamespace: string;
  /** Its worker was process 1 of the namespace. */
  readonly workerWasInit: boolean;
}

/** What is recorded of the clean-up after one attempt. */
export interface CleanUpRow {
  /** Null: the attempt has none. */
  readonly handler: ExitHandler | null;
  readonly outcome: CleanUp["outcome"] | null;
  readonly tries: number;
  /** Of the last try; null: none was begun. */
  readonly place: Place | null;
  readonly tookMs: number;
  /** How the attempt itself ended; null: it has not. */
  readonly ending: Ending["kind"] | null;
  readonly cause: Cause | null;
  readonly messageId: string;
  readonly receiveCount: number;
  /** What the job is to become when that has been done which is owed; null: it is run again. */
  readonly pending: Settlement | null;
}

interface Row {
  readonly handler: string | null;
  readonly outcome: CleanUp["outcome"] | null;
  readonly tries: number;
  readonly place: string | null;
  readonly tookMs: number | null;
  readonly ending: Ending["kind"] | null;
  readonly cause: Cause | null;
  readonly messageId: string;
  readonly receiveCount: number;
  readonly pending: string | null;
}

const ONE = `SELECT exit_handler AS handler, cleanup AS outcome, cleanup_tries AS tries, cleanup_place AS place,
    cleanup_ms AS tookMs, ending, cause, message_id AS messageId, receive_count AS receiveCount, cleanup_pending AS pending
  FROM attempts WHERE job = ? AND number = ?`;

/** What exit handlers did, and what is still to be done. Writing is to be done within a transaction. */
export class CleanUps {
  readonly #database: StoreDatabase;
  readonly #decisions: Decisions;

  constructor(database: StoreDatabase, decisions: Decisions) {
    this.#database = database;
    this.#decisions = decisions;
  }

  of(job: number, attempt: number): CleanUpRow | null {
    const row = this.#database.get<Row>(ONE, job, attempt);
    if (!row) return null;
    // What is read here as JSON, this store wrote.
    const handler = row.handler === null ? null : (JSON.parse(row.handler) as ExitHandler);
    const pending = row.pending === null ? null : (JSON.parse(row.pending) as Settlement);
    const place = row.place === null ? null : (JSON.parse(row.place) as Place);
    return { ...row, tookMs: row.tookMs ?? 0, handler, place, pending };
  }

  planned(job: number, attempt: number, handler: ExitHandler): void {
    this.#database.run(
      "UPDATE attempts SET exit_handler = ?3 WHERE job = ?1 AND number = ?2",
      job,
      attempt,
      JSON.stringify(handler),
    );
  }

  /** A try begins: recorded before the spawn, so that a crash does not add more than one. */
  begun(job: number, attempt: number, tries: number, place: Place): void {
    this.#database.run(
      "UPDATE attempts SET cleanup_tries = ?3, cleanup_place = ?4 WHERE job = ?1 AND number = ?2",
      job,
      attempt,
      tries,
      JSON.stringify(place),
    );
  }

  /** A try was cut short, and counts for nothing. */
  cutShort(job: number, attempt: number, tries: number): void {
    this.#database.run("UPDATE attempts SET cleanup_tries = ?3 WHERE job = ?1 AND number = ?2", job, attempt, tries);
  }

  ended(job: number, attempt: number, cleanUp: CleanUp, at: number, by: string): void {
    const { outcome, tries, exitCode, signal, tookMs } = cleanUp;
    this.#decisions.add(job, at, "exit handler", by, describeCleanUp(attempt, cleanUp));
    this.#database.run(
      `UPDATE attempts SET cleanup = ?3, cleanup_tries = ?4, cleanup_exit_code = ?5, cleanup_signal = ?6, cleanup_ms = ?7
        WHERE job = ?1 AND number = ?2`,
      job,
      attempt,
      outcome,
      tries,
      exitCode,
      signal,
      tookMs,
    );
  }

  /** The job's next start is to clean up first; then it becomes `pending`, or is run again where that is null. */
  owe(job: number, attempt: number, pending: Settlement | null): void {
    this.#database.run("UPDATE jobs SET owed = ?2 WHERE seq = ?1", job, attempt);
    this.#database.run(
      "UPDATE attempts SET cleanup_pending = ?3 WHERE job = ?1 AND number = ?2",
      job,
      attempt,
      pending && JSON.stringify(pending),
    );
  }

  paid(job: number): void {
    this.#database.run("UPDATE jobs SET owed = NULL WHERE seq = ?", job);
  }
}

function describeCleanUp(attempt: number, { outcome, tries, exitCode, signal, tookMs }: CleanUp): string {
  const end = signal ?? (exitCode === null ? "no end of its own" : `exit code ${exitCode}`);
  return `after attempt ${attempt}: ${outcome}, tries: ${tries}, ${end}, ${(tookMs / 1000).toFixed(3)} s`;
}
