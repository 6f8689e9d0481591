import type { Database, SqlValue, Statement } from "../../src/runtime/port.ts";
import type { Life } from "./life.ts";

const BUSY = 5;
const IO_ERROR = 10;
const FULL = 13;

class SqliteFault extends Error {
  readonly result: number;
  constructor(result: number, message: string) {
    super(message);
    this.result = result;
  }
}

/** The disk that all databases are on. */
export interface Disk {
  isFull: boolean;
  /** How probable it is that another process holds the write lock. */
  busy: number;
}

export interface SimulatedDatabaseOptions {
  readonly real: Database;
  readonly life: Life;
  readonly disk: Disk;
  /** Called when a commit is on disk and nobody has been told. */
  readonly committed: () => void;
  /** Called when it does not use the connection any more. */
  readonly closed: () => void;
  /** For checks of the checker: the statement that is run instead. */
  readonly rewrite: (sql: string) => string;
}

/** A real connection, which many lives use one after the other: to prepare a statement takes longer than to run it. */
export class Connection implements Database {
  readonly #real: Database;
  readonly #statements = new Map<string, Statement<unknown>>();

  constructor(real: Database) {
    this.#real = real;
  }

  prepare<Row>(sql: string): Statement<Row> {
    const known = this.#statements.get(sql) ?? this.#real.prepare<unknown>(sql);
    this.#statements.set(sql, known);
    // A row has the type that the statement asks for.
    return known as Statement<Row>;
  }

  exec(sql: string): void {
    this.#real.exec(sql);
  }

  close(): void {
    this.#real.close();
  }

  resultCode(error: unknown): number | null {
    return this.#real.resultCode(error);
  }
}

/** A connection of one life: with faults, with crash points around each commit, and closed by its death. */
export class SimulatedDatabase implements Database {
  readonly #options: SimulatedDatabaseOptions;
  #isOpen = true;
  #inTransaction = false;
  #commits = 0;

  constructor(options: SimulatedDatabaseOptions) {
    this.#options = options;
    options.life.atDeath(() => this.close());
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /** How many there were. */
  get commits(): number {
    return this.#commits;
  }

  prepare<Row>(sql: string): Statement<Row> {
    this.#options.life.mustLive();
    const statement = this.#options.real.prepare<Row>(this.#options.rewrite(sql));
    return {
      all: (...values: SqlValue[]) => this.#ask(() => statement.all(...values)),
      get: (...values: SqlValue[]) => this.#ask(() => statement.get(...values)),
      run: (...values: SqlValue[]) => this.#ask(() => this.#run(sql, () => statement.run(...values))),
    };
  }

  exec(sql: string): void {
    this.#ask(() => this.#options.real.exec(sql));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // What was not committed is rolled back by the system when a process dies.
    if (this.#inTransaction) this.#options.real.exec("ROLLBACK");
    this.#inTransaction = false;
    this.#options.closed();
  }

  resultCode(error: unknown): number | null {
    this.#options.life.mustLive();
    return error instanceof SqliteFault ? error.result : this.#options.real.resultCode(error);
  }

  #ask<T>(statement: () => T): T {
    this.#options.life.mustLive();
    return statement();
  }

  #run(sql: string, statement: () => number): number {
    if (sql === "BEGIN IMMEDIATE") return this.#begin(statement);
    if (sql === "COMMIT") return this.#commit(statement);
    if (sql === "ROLLBACK") this.#inTransaction = false;
    else if (this.#inTransaction && this.#options.disk.isFull) throw this.#fault(FULL, "database or disk is full");
    return statement();
  }

  #begin(statement: () => number): number {
    const { life, disk } = this.#options;
    life.reach("before a transaction");
    if (life.diskIsBroken) throw this.#fault(IO_ERROR, "disk I/O error");
    if (life.world.random.chance(disk.busy)) throw this.#fault(BUSY, "database is locked");
    const begun = statement();
    this.#inTransaction = true;
    return begun;
  }

  #commit(statement: () => number): number {
    const { life, disk } = this.#options;
    life.reach("before a commit");
    if (disk.isFull) throw this.#fault(FULL, "database or disk is full");
    const committed = statement();
    this.#inTransaction = false;
    this.#commits += 1;
    this.#options.committed();
    life.reach("after a commit");
    return committed;
  }

  #fault(result: number, message: string): Error {
    const { life } = this.#options;
    life.world.storeFailedAt = life.world.now;
    return new SqliteFault(result, message);
  }
}
