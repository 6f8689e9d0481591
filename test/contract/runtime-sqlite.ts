import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { Database, Runtime, SqlValue } from "../../src/runtime/port.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { Case } from "./suite.ts";

/** https://sqlite.org/rescode.html */
const BUSY = 5;
const READONLY = 8;
const FULL = 13;
const CONSTRAINT = 19;
const NOT_A_DATABASE = 26;

const LARGEST = 2 ** 53;

/** Runs `work` with a database in a fresh directory. */
function withDatabase(runtime: Runtime, work: (database: Database, path: string) => void): Promise<void> {
  using directory = temporaryDirectory();
  const path = directory.of("test.db");
  const database = runtime.openDatabase(path, { create: true });
  try {
    work(database, path);
  } finally {
    database.close();
  }
  return Promise.resolve();
}

/** The result code of what `work` throws. */
function codeThrown(database: Database, work: () => unknown): number | null {
  try {
    work();
  } catch (error) {
    return database.resultCode(error);
  }
  throw new Error("nothing was thrown");
}

/** What comes back of a value that was stored. */
function stored(database: Database, value: SqlValue): unknown {
  database.exec("CREATE TABLE IF NOT EXISTS one(value)");
  database.exec("DELETE FROM one");
  database.prepare("INSERT INTO one VALUES(?)").run(value);
  return database.prepare<{ value: unknown }>("SELECT value FROM one").get()?.value;
}

const VALUES: readonly Case<Runtime>[] = [
  {
    name: "text, numbers and null come back as they were",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        const values = ["", "text", "☃ \u{1f600}", "it's", 0, -1, 1.5, 1e300, null];
        for (const value of values) assert.deepEqual(stored(database, value), value);
      }),
  },
  {
    name: "integers come back exactly up to 2^53",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        for (const value of [LARGEST - 1, 1 - LARGEST, 1_700_000_000_000]) {
          assert.equal(stored(database, value), value);
        }
        assert.equal(Number(stored(database, BigInt(LARGEST) - 1n)), LARGEST - 1);
      }),
  },
  {
    name: "blobs come back byte for byte, the empty one too",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
        for (const bytes of [all, new Uint8Array(), new Uint8Array(100_000).fill(7), all.subarray(10, 20)]) {
          const back = stored(database, bytes);
          assert.ok(back instanceof Uint8Array);
          assert.deepEqual([...back], [...bytes]);
        }
      }),
  },
  {
    name: "where there is no row, get gives undefined and all an empty list",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        const statement = database.prepare("SELECT 1 WHERE 0");
        assert.equal(statement.get(), undefined);
        assert.deepEqual(statement.all(), []);
      }),
  },
  {
    name: "a statement may be run again with other values",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        const statement = database.prepare<{ sum: number }>("SELECT ?1 + ?2 AS sum");
        assert.deepEqual([statement.get(1, 2)?.sum, statement.all(3, 4)[0]?.sum], [3, 7]);
      }),
  },
  {
    name: "run tells how many rows it changed",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        database.exec("CREATE TABLE numbers(n); INSERT INTO numbers VALUES (1), (2), (3)");
        assert.equal(database.prepare("UPDATE numbers SET n = n + 1 WHERE n >= ?").run(2), 2);
        assert.equal(database.prepare("DELETE FROM numbers WHERE n > ?").run(100), 0);
        assert.equal(database.prepare("INSERT INTO numbers VALUES (?)").run(9), 1);
      }),
  },
  {
    name: "a change that returns rows is made whole, whichever way it is run",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        database.exec("CREATE TABLE numbers(n); INSERT INTO numbers VALUES (1), (2), (3)");
        database.prepare("UPDATE numbers SET n = n + 10 RETURNING n").get();
        database.prepare("UPDATE numbers SET n = n + 10 RETURNING n").all();
        const rows = database.prepare<{ n: number }>("SELECT n FROM numbers ORDER BY n").all();
        assert.deepEqual(
          rows.map(({ n }) => n),
          [21, 22, 23],
        );
      }),
  },
];

const ERRORS: readonly Case<Runtime>[] = [
  {
    name: "a broken constraint has SQLite's code",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        database.exec("CREATE TABLE names(name TEXT UNIQUE NOT NULL) STRICT; INSERT INTO names VALUES('a')");
        const insert = database.prepare("INSERT INTO names VALUES(?)");
        assert.equal(
          codeThrown(database, () => insert.run("a")),
          CONSTRAINT,
        );
        assert.equal(
          codeThrown(database, () => insert.run(null)),
          CONSTRAINT,
        );
      }),
  },
  {
    name: "a locked database has SQLite's code",
    run: (runtime) =>
      withDatabase(runtime, (database, path) => {
        const other = runtime.openDatabase(path, { create: true });
        other.exec("PRAGMA busy_timeout = 0");
        const begin = other.prepare("BEGIN IMMEDIATE");
        database.exec("BEGIN IMMEDIATE");
        assert.equal(
          codeThrown(other, () => begin.run()),
          BUSY,
        );
        assert.equal(
          codeThrown(other, () => other.exec("BEGIN IMMEDIATE")),
          BUSY,
        );
        database.exec("ROLLBACK");
        other.close();
      }),
  },
  {
    name: "a full database has SQLite's code",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        database.exec("PRAGMA max_page_count = 4; CREATE TABLE blobs(b)");
        const insert = database.prepare("INSERT INTO blobs VALUES(zeroblob(100000))");
        assert.equal(
          codeThrown(database, () => insert.run()),
          FULL,
        );
        assert.equal(
          codeThrown(database, () => database.exec("INSERT INTO blobs VALUES(zeroblob(100000))")),
          FULL,
        );
      }),
  },
  {
    name: "a connection that may only read has SQLite's code",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        database.exec("CREATE TABLE t(x); PRAGMA query_only = 1");
        assert.equal(
          codeThrown(database, () => database.prepare("INSERT INTO t VALUES(1)").run()),
          READONLY,
        );
      }),
  },
  {
    name: "a file that is no database has SQLite's code",
    async run(runtime) {
      using directory = temporaryDirectory();
      const path = directory.write("text.db", "this is a text, and a long one, not a database\n".repeat(100));
      const database = runtime.openDatabase(path, { create: true });
      assert.equal(
        codeThrown(database, () => database.exec("CREATE TABLE t(x)")),
        NOT_A_DATABASE,
      );
      assert.equal(
        codeThrown(database, () => database.prepare("SELECT * FROM sqlite_schema").all()),
        NOT_A_DATABASE,
      );
      database.close();
    },
  },
  {
    name: "a database below a directory that is not there cannot be opened",
    async run(runtime) {
      assert.throws(() => runtime.openDatabase("/no/such/directory/test.db", { create: true }), /unable to open/);
    },
  },
  {
    name: "a database that is to be there is not made",
    async run(runtime) {
      using directory = temporaryDirectory();
      assert.throws(() => runtime.openDatabase(directory.of("missing.db"), { create: false }));
      assert.equal(existsSync(directory.of("missing.db")), false);
    },
  },
  {
    name: "what is not of SQLite has no code",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        const strange = [new Error("ENOENT"), null, undefined, "text", Object.assign(new Error("x"), { code: "EIO" })];
        for (const error of strange) assert.equal(database.resultCode(error), null);
      }),
  },
  {
    name: "a mistake in a statement is thrown when it is prepared or run, and is no trouble of the disk",
    run: (runtime) =>
      withDatabase(runtime, (database) => {
        const code = codeThrown(database, () => database.prepare("SELEKT 1").all());
        assert.ok(code === 1 || code === null, `its code is ${code}`);
      }),
  },
  {
    name: "after close another connection has the database for itself",
    async run(runtime) {
      using directory = temporaryDirectory();
      const first = runtime.openDatabase(directory.of("test.db"), { create: true });
      first.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x)");
      first.prepare("INSERT INTO t VALUES(?)").run(1);
      first.close();
      assert.equal(existsSync(directory.of("test.db-wal")), false);
      const second = runtime.openDatabase(directory.of("test.db"), { create: false });
      assert.deepEqual(second.prepare<{ x: number }>("SELECT x FROM t").get()?.x, 1);
      second.close();
    },
  },
];

export const SQLITE_CASES: readonly Case<Runtime>[] = [...VALUES, ...ERRORS];
