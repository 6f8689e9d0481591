import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, messageOf, ReeveError, unavailable, EXIT } from "../errors.ts";
import type { Database, SqlValue, Statement } from "../runtime/port.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";

/** SQLite's primary result codes that are told apart: https://sqlite.org/rescode.html */
const RESULT = { busy: 5, locked: 6, readonly: 8, io: 10, corrupt: 11, full: 13, cannotOpen: 14, notDatabase: 26 };

const SHARED_MEMORY_BYTES = 32 * 1024;

/** What a failed statement means for who ran it. */
export type DatabaseTrouble = "busy" | "full" | "broken" | "mistake";

export type Durability = "full" | "normal";

/** Milliseconds for which SQLite itself waits for a lock. Short, since it blocks the event loop. */
const BUSY_MS = 50;
/** The same while the store is opened: another process may be making it, and nothing runs here yet. */
const OPENING_BUSY_MS = 10_000;
const RETRY_MS = 5;

/**
 * SQLite may compile a statement anew whenever such a parameter has another value, since a better plan might be had for
 * that (https://sqlite.org/c3ref/prepare.html). Ours are to be the same for all; a plus before it changes nothing else.
 */
const BARE_PARAMETER = /(?<!\+)\?\d*/g;

/**
 * One connection, with its statements prepared once and kept. Whoever meets a lock tries again later by a timer.
 */
export class StoreDatabase {
  readonly #database: Database;
  readonly #path: string | null;
  readonly #statements = new Map<string, Statement<unknown>>();

  /** `path`: where its file is, to see whether its disk is full; null: nowhere. */
  constructor(database: Database, durability: Durability, path: string | null = null) {
    this.#database = database;
    this.#path = path;
    // Before the journal mode, which itself may meet a lock.
    database.exec(`PRAGMA busy_timeout = ${OPENING_BUSY_MS}`);
    this.#untilUnlocked(() => database.exec("PRAGMA journal_mode = WAL"));
    database.exec(`PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`);
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("PRAGMA wal_autocheckpoint = 4000");
  }

  /** Of processes that change the mode at once SQLite lets none wait for the other, so it is tried again here. */
  #untilUnlocked(work: () => void): void {
    for (let waited = 0; ; waited += RETRY_MS) {
      try {
        return work();
      } catch (error) {
        if (this.trouble(error) !== "busy" || waited >= OPENING_BUSY_MS) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }

  statement<Row>(sql: string): Statement<Row> {
    const known = this.#statements.get(sql);
    // The text of a statement fixes the shape of its rows, so the first caller's type is every caller's.
    if (known) return known as Statement<Row>;
    const statement = this.#database.prepare<Row>(sql.replaceAll(BARE_PARAMETER, "+$&"));
    this.#statements.set(sql, statement);
    return statement;
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return this.statement<Row>(sql).all(...values);
  }

  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.statement<Row>(sql).get(...values);
  }

  run(sql: string, ...values: SqlValue[]): number {
    return this.statement(sql).run(...values);
  }

  /** Runs `work` between BEGIN IMMEDIATE and COMMIT; whatever it throws undoes it. */
  transaction<T>(work: () => T): T {
    this.run("BEGIN IMMEDIATE");
    try {
      const value = work();
      this.run("COMMIT");
      return value;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** SQLite has rolled back by itself after some errors (full disk, I/O); then there is nothing left to do. */
  #rollBack(): void {
    try {
      this.run("ROLLBACK");
    } catch (error) {
      if (!messageOf(error).includes("no transaction is active")) throw error;
    }
  }

  trouble(error: unknown): DatabaseTrouble {
    const code = this.#database.resultCode(error);
    if (code === RESULT.busy || code === RESULT.locked) return "busy";
    const isFull = code === RESULT.full || codeOf(error) === "ENOSPC";
    if (isFull || (this.#path !== null && isFullUnsaid(messageOf(error), this.#path))) return "full";
    const broken = [RESULT.io, RESULT.corrupt, RESULT.notDatabase, RESULT.readonly, RESULT.cannotOpen];
    return code !== null && broken.includes(code) ? "broken" : "mistake";
  }

  /** The store is open: from now on a lock must not stop what else this process does. */
  opened(): void {
    this.#database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  close(): void {
    this.#database.close();
  }
}

/**
 * Brings a database to this version's schema.
 *
 * @throws ReeveError when a newer version has made it one that this version cannot read.
 */
export function migrate(database: StoreDatabase, path: string, steps: readonly Migration[] = MIGRATIONS): void {
  const version = (): number => database.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
  if (version() > steps.length) return refuseNewer(database, path, steps.length);
  if (version() === steps.length) return;
  database.transaction(() => {
    // Asked again inside: another process may have been first.
    for (const step of steps.slice(version())) database.exec(step.sql);
    const minReader = String(steps.at(-1)?.minReader ?? 1);
    database.run("INSERT OR REPLACE INTO meta(name, value) VALUES('min_reader', ?)", minReader);
    database.exec(`PRAGMA user_version = ${steps.length}`);
  });
}

function refuseNewer(database: StoreDatabase, path: string, own: number): void {
  const row = database.get<{ value: string }>("SELECT value FROM meta WHERE name = 'min_reader'");
  if (Number(row?.value ?? Number.POSITIVE_INFINITY) <= own) return;
  throw new ReeveError(
    EXIT.unavailable,
    `the store ${path} was made by a newer version of reeve, which this one cannot read`,
    "use the newer binary, or another --store",
  );
}

/** The sentence for a database that would not open or answer. */
export function explain(error: unknown, path: string, database?: StoreDatabase): ReeveError {
  if (error instanceof ReeveError) return error;
  const text = messageOf(error);
  if (/malformed|not a database/.test(text)) {
    return unavailable(
      `the store ${path} is damaged: ${text}`,
      "restore it from a backup, or use another --store",
      error,
    );
  }
  if (/readonly|read-only|EROFS|EACCES|permission denied/i.test(text)) {
    return unavailable(`the store ${path} cannot be written: ${text}`, "check its owner and permissions", error);
  }
  if (database?.trouble(error) === "full" || /ENOSPC|disk is full/.test(text) || isFullUnsaid(text, path)) {
    return unavailable(
      `the disk of the store ${path} is full; nothing was recorded`,
      "make room, then try again",
      error,
    );
  }
  if (database?.trouble(error) === "busy" || /locked/.test(text)) {
    return unavailable(`the store ${path} is locked by another process`, "try again", error);
  }
  // Its log cannot be made, since all that was there before has been found.
  if (text.includes("unable to open database file")) {
    return unavailable(`the store ${path} cannot be written: ${text}`, "check its owner and permissions", error);
  }
  return unavailable(`the store ${path} does not work: ${text}`, undefined, error);
}

/** SQLite's shared memory is a file, too; that it cannot grow is told as an I/O error. */
function isFullUnsaid(text: string, path: string): boolean {
  if (!text.includes("disk I/O error")) return false;
  if (!existsSync(dirname(path))) return false;
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < SHARED_MEMORY_BYTES;
}
