import { describe, expect, test } from "bun:test";
import { runtime } from "../../src/runtime/index.ts";
import { StoreDatabase } from "../../src/store/database.ts";
import { Journal, type JournalOptions } from "../../src/store/journal.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary.ts";

interface Setting extends Disposable {
  readonly clock: FakeClock;
  readonly database: StoreDatabase;
  readonly journal: Journal;
  /** Another process's connection. */
  readonly other: StoreDatabase;
  /** What was told, in its order. */
  readonly told: string[];
  /** Writes the number, and notes when that is told as done or failed. */
  note(value: number): Promise<void>;
  /** What another process sees. */
  seen(): number[];
}

function setting(options: Partial<JournalOptions> = {}): Setting {
  const directory = temporaryDirectory();
  const open = (): StoreDatabase => {
    const database = new StoreDatabase(runtime.openDatabase(directory.of("test.db"), { create: true }), "normal");
    // A lock is to be met at once here, not after a wait of the machine's own.
    database.exec("PRAGMA busy_timeout = 0");
    return database;
  };
  const [database, other] = [open(), open()];
  database.exec("CREATE TABLE numbers(n INTEGER UNIQUE)");
  const clock = new FakeClock();
  const told: string[] = [];
  const onCommit = (): void => void told.push("commit");
  const onTrouble = (error: unknown): void => void told.push(error === null ? "healed" : "trouble");
  const journal = new Journal(database, {
    clock,
    random: () => 0.5,
    patience: "fail",
    onCommit,
    onTrouble,
    ...options,
  });
  return {
    clock,
    database,
    journal,
    other,
    told,
    note: (value) =>
      journal
        .write(() => database.run("INSERT INTO numbers VALUES(?)", value))
        .then(
          () => void told.push(`done ${value}`),
          () => void told.push(`failed ${value}`),
        ),
    seen: () => other.all<{ n: number }>("SELECT n FROM numbers ORDER BY n").map(({ n }) => n),
    [Symbol.dispose]() {
      for (const one of [database, other]) one.close();
      directory[Symbol.dispose]();
    },
  };
}

describe("writes of one moment", () => {
  test("share one commit, in their order, and give their values", async () => {
    using at = setting();
    const written = [1, 2, 3].map((value) =>
      at.journal.write(() => {
        at.database.run("INSERT INTO numbers VALUES(?)", value);
        return at.database.all("SELECT * FROM numbers").length;
      }),
    );
    at.clock.settle();
    expect(await Promise.all(written)).toEqual([1, 2, 3]);
    expect(at.told).toEqual(["commit"]);
  });

  test("are shared by those that have time, which wait no longer than they have", async () => {
    using at = setting();
    const patient = [at.journal.write(() => 1, 10), at.journal.write(() => 2, 10)];
    await at.clock.advance(5);
    expect(at.told).toEqual([]);
    const urgent = at.journal.write(() => 3);
    at.clock.settle();
    expect(await Promise.all([...patient, urgent])).toEqual([1, 2, 3]);
    expect([at.told, at.clock.waits]).toEqual([["commit"], []]);
    const alone = at.journal.write(() => 4, 10);
    await at.clock.advance(9);
    expect(at.told).toEqual(["commit"]);
    await at.clock.advance(1);
    expect([await alone, at.told]).toEqual([4, ["commit", "commit"]]);
  });

  test("go with one that has less time, however much they have", async () => {
    using at = setting();
    const patient = [at.journal.write(() => 1, 1000), at.journal.write(() => 2, 10), at.journal.write(() => 3, 500)];
    await at.clock.advance(9);
    expect(at.told).toEqual([]);
    await at.clock.advance(1);
    expect([await Promise.all(patient), at.told, at.clock.waits]).toEqual([[1, 2, 3], ["commit"], []]);
  });

  test("are told after the commit, and seen by others by then, not before", async () => {
    using at = setting();
    const writing = at.note(1);
    await takeTurns();
    expect(at.told).toEqual([]);
    expect(at.seen()).toEqual([]);
    at.clock.settle();
    expect(at.seen()).toEqual([1]);
    await writing;
    expect(at.told).toEqual(["commit", "done 1"]);
  });

  test("that are made while others are told have a commit of their own", async () => {
    using at = setting();
    const writing = at.note(1).then(() => at.note(2));
    at.clock.settle();
    await takeTurns();
    at.clock.settle();
    await writing;
    expect(at.told).toEqual(["commit", "done 1", "commit", "done 2"]);
  });
});

describe("a mistake in one write", () => {
  test("fails that one only, and leaves nothing of it", async () => {
    using at = setting();
    const mistake = at.journal.write(() => {
      at.database.run("INSERT INTO numbers VALUES(99)");
      throw new Error("a mistake");
    });
    const outcome = mistake.catch((error: unknown) => String(error));
    const writing = [at.note(1), at.note(2), at.note(1), at.note(3)];
    at.clock.settle();
    await Promise.all(writing);
    expect(await outcome).toContain("a mistake");
    expect(at.told.filter((what) => what !== "commit")).toEqual(["done 1", "done 2", "failed 1", "done 3"]);
    expect(at.seen()).toEqual([1, 2, 3]);
  });

  test("that is alone fails without a commit", async () => {
    using at = setting();
    const writing = at.journal.write(() => at.database.run("no such statement")).catch(() => "failed");
    at.clock.settle();
    expect(await writing).toBe("failed");
    expect(at.told).toEqual([]);
    const next = at.note(1);
    at.clock.settle();
    await next;
    expect(at.told).toEqual(["commit", "done 1"]);
  });
});

describe("a store that another process has locked", () => {
  test.each(["fail", "wait"] as const)("is waited for, then written to (patience: %s)", async (patience) => {
    using at = setting({ patience });
    at.other.run("BEGIN IMMEDIATE");
    const writing = Promise.all([at.note(1), at.note(2)]);
    at.clock.settle();
    await at.clock.advance(200);
    expect(new Set(at.told)).toEqual(new Set(["trouble"]));
    at.other.run("COMMIT");
    await at.clock.advance(1000);
    await writing;
    expect(at.told.filter((what) => what !== "trouble")).toEqual(["healed", "commit", "done 1", "done 2"]);
  });

  test("is given up in the end by what has patience to fail, and nothing is written", async () => {
    using at = setting({ patience: "fail" });
    at.other.run("BEGIN IMMEDIATE");
    const writing = at.note(1);
    at.clock.settle();
    await at.clock.advance(60_000);
    await writing;
    expect(at.told.at(-1)).toBe("failed 1");
    at.other.run("COMMIT");
    expect(at.seen()).toEqual([]);
  });

  test("is tried with all patience again after it was given up once", async () => {
    using at = setting({ patience: "fail" });
    at.other.run("BEGIN IMMEDIATE");
    const first = at.note(1);
    at.clock.settle();
    await at.clock.advance(60_000);
    await first;
    const second = at.note(2);
    at.clock.settle();
    await at.clock.advance(100);
    at.other.run("COMMIT");
    await at.clock.advance(1000);
    await second;
    expect(at.told.at(-1)).toBe("done 2");
  });

  test("is never given up by what has patience to wait", async () => {
    using at = setting({ patience: "wait" });
    at.other.run("BEGIN IMMEDIATE");
    const writing = at.note(1);
    at.clock.settle();
    await at.clock.advance(60_000);
    expect(at.told.some((what) => what.startsWith("failed"))).toBe(false);
    at.other.run("COMMIT");
    await at.clock.advance(1000);
    await writing;
    expect(at.told.at(-1)).toBe("done 1");
  });

  test("keeps the order of what was to be written", async () => {
    using at = setting({ patience: "wait" });
    at.other.run("BEGIN IMMEDIATE");
    const writing = [at.note(1), at.note(2)];
    at.clock.settle();
    writing.push(at.note(3));
    at.clock.settle();
    at.other.run("COMMIT");
    await at.clock.advance(1000);
    await Promise.all(writing);
    const done = at.told.filter((what) => what.startsWith("done"));
    expect(done).toEqual(["done 1", "done 2", "done 3"]);
  });
});

const fill = ({ database }: Setting): void => database.exec("PRAGMA max_page_count = 1");
const makeRoom = ({ database }: Setting): void => database.exec("PRAGMA max_page_count = 100000");
const writeMuch = ({ journal, database }: Setting): Promise<string> =>
  journal
    .write(() => {
      database.exec("CREATE TABLE IF NOT EXISTS blobs(b)");
      database.run("INSERT INTO blobs VALUES(zeroblob(100000))");
    })
    .then(
      () => "done",
      () => "failed",
    );

describe("a full disk", () => {
  test("fails the write of what has patience to fail, at once", async () => {
    using at = setting({ patience: "fail" });
    fill(at);
    const writing = writeMuch(at);
    at.clock.settle();
    expect(await writing).toBe("failed");
  });

  test("is waited for by what has patience to wait, until there is room", async () => {
    using at = setting({ patience: "wait" });
    fill(at);
    const writing = writeMuch(at);
    at.clock.settle();
    await at.clock.advance(60_000);
    expect(at.told).not.toContain("commit");
    makeRoom(at);
    await at.clock.advance(2000);
    expect(await writing).toBe("done");
    expect(at.told.slice(-2)).toEqual(["healed", "commit"]);
  });
});

describe("what is told of a commit", () => {
  test("is told though others cannot be woken", async () => {
    let rings = 0;
    const onCommit = (): void => {
      rings += 1;
      throw new Error("no space left on device");
    };
    using at = setting({ onCommit });
    const writing = at.note(1);
    expect(() => at.clock.settle()).not.toThrow();
    await writing;
    expect(at.told).toEqual(["done 1"]);
    expect(rings).toBe(1);
  });

  test("is nothing after close, and nothing is written", async () => {
    using at = setting();
    void at.note(1);
    at.journal.close();
    void at.note(2);
    at.clock.settle();
    await at.clock.advance(60_000);
    expect(at.told).toEqual([]);
    expect(at.seen()).toEqual([]);
  });
});
