import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, statSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runtime } from "../../src/runtime/index.ts";
import { explain, migrate, StoreDatabase } from "../../src/store/database.ts";
import { chooseDirectory, refuseUnsafeFilesystem } from "../../src/store/location.ts";
import { MIGRATIONS, type Migration } from "../../src/store/migrations.ts";
import { sentenceOf } from "../support/errors.ts";
import { stays } from "../support/eventually.ts";
import { readOnlyDirectory } from "../support/filesystems.ts";
import { newJob, only, openStore, prepare, temporaryDirectory, temporaryStore } from "../support/temporary.ts";

const UNAVAILABLE = 69;
const NEWER: Migration = { minReader: 1, sql: "ALTER TABLE jobs ADD COLUMN mood TEXT" };
const NOT_READABLE: Migration = {
  minReader: MIGRATIONS.length + 1,
  sql: "ALTER TABLE jobs RENAME COLUMN phase TO state",
};

const open = (path: string): StoreDatabase => new StoreDatabase(runtime.openDatabase(path, { create: true }), "normal");

/** Makes a store as a version with these further steps makes it. */
function newerStore(directory: string, ...steps: Migration[]): void {
  const { database: path } = prepare(directory);
  const database = open(path);
  migrate(database, path, [...MIGRATIONS, ...steps]);
  database.close();
}

describe("a database of another version", () => {
  test("that is newer and can be read is worked on", async () => {
    using directory = temporaryDirectory();
    newerStore(directory.path, NEWER);
    const store = openStore(directory.path);
    const ids = await store.write(() => store.submission.submit([newJob()], 1));
    expect(store.jobs.byId(only(ids))?.phase).toBe("QUEUED");
    expect(store.database.get<{ user_version: number }>("PRAGMA user_version")?.user_version).toBe(
      MIGRATIONS.length + 1,
    );
    store.close();
  });

  test("that is newer and cannot be read is refused, and left as it is", async () => {
    using directory = temporaryDirectory();
    newerStore(directory.path, NEWER, NOT_READABLE);
    const before = statSync(directory.of("reeve.db")).mtimeMs;
    const { exitCode, message, hint } = await sentenceOf(() => openStore(directory.path));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain("newer version");
    expect(hint).toContain("newer binary");
    expect(statSync(directory.of("reeve.db")).mtimeMs).toBe(before);
  });

  test("that is older is brought up to date, with its jobs", async () => {
    using directory = temporaryDirectory();
    const store = openStore(directory.path);
    const id = only(await store.write(() => store.submission.submit([newJob()], 1)));
    migrate(store.database, "", [...MIGRATIONS, NEWER]);
    expect(store.database.get<{ mood: null }>("SELECT mood FROM jobs WHERE id = ?", id)).toEqual({ mood: null });
    store.close();
  });

  test("is left as it was when a step fails", () => {
    using directory = temporaryDirectory();
    const database = open(directory.of("test.db"));
    const wrong = { minReader: 1, sql: "CREATE TABLE fine(x); CREATE TABLE wrong(" };
    expect(() => migrate(database, "", [...MIGRATIONS, wrong])).toThrow();
    expect(database.get<{ user_version: number }>("PRAGMA user_version")?.user_version).toBe(0);
    expect(database.all("SELECT name FROM sqlite_schema")).toEqual([]);
    migrate(database, "");
    database.close();
  });
});

describe("many processes at once", () => {
  test("make and open one store, and each writes to it", async () => {
    const fixture = join(import.meta.dir, "..", "fixtures", "open-store.ts");
    for (let round = 0; round < 3; round += 1) {
      using directory = temporaryDirectory();
      const go = directory.of("go");
      const children = Array.from({ length: 6 }, () =>
        Bun.spawn([process.execPath, fixture, directory.of("store"), go], { stdout: "pipe", stderr: "pipe" }),
      );
      for (const child of children) await child.stdout.getReader().read();
      writeFileSync(go, "");
      const troubles = await Promise.all(children.map((child) => new Response(child.stderr).text()));
      expect(troubles.filter((trouble) => trouble !== "")).toEqual([]);
      const store = openStore(directory.of("store"));
      expect(store.jobs.countByPhase()).toEqual(new Map([["QUEUED", 6]]));
      store.close();
    }
  });

  test("open a store while another process writes to it", async () => {
    using at = temporaryStore();
    at.store.database.run("BEGIN IMMEDIATE");
    const other = at.another();
    expect(other.jobs.countByPhase()).toEqual(new Map());
    at.store.database.run("COMMIT");
  });

  test("wait for the one that is making the store", async () => {
    using directory = temporaryDirectory();
    const location = prepare(directory.path);
    const maker = open(location.database);
    maker.run("BEGIN IMMEDIATE");
    const fixture = join(import.meta.dir, "..", "fixtures", "open-store.ts");
    const child = Bun.spawn([process.execPath, fixture, directory.path, "/"], { stdout: "pipe", stderr: "pipe" });
    await child.stdout.getReader().read();
    await stays("it waits", () => child.exitCode === null, 300);
    maker.run("COMMIT");
    maker.close();
    expect(await new Response(child.stderr).text()).toBe("");
    expect(await child.exited).toBe(0);
  });
});

describe("durability", () => {
  test.each([
    ["full", 2],
    ["normal", 1],
  ] as const)("%s is SQLite's synchronous = %d, in a write-ahead log, with foreign keys", (durability, expected) => {
    using at = temporaryStore({ durability });
    const pragma = (name: string): unknown => Object.values(at.store.database.get<object>(`PRAGMA ${name}`) ?? {})[0];
    expect(pragma("synchronous")).toBe(expected);
    expect(pragma("journal_mode")).toBe("wal");
    expect(pragma("foreign_keys")).toBe(1);
    expect(Number(pragma("busy_timeout") ?? Number.POSITIVE_INFINITY)).toBeLessThanOrEqual(100);
  });
});

describe("a damaged store", () => {
  test("is told as such when the file is no database", async () => {
    using directory = temporaryDirectory();
    directory.write("reeve.db", "this was a database once, but it is not any more\n".repeat(200));
    const { exitCode, message, hint } = await sentenceOf(() => openStore(directory.path));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain(`${directory.of("reeve.db")} is damaged`);
    expect(hint).toContain("backup");
  });

  test("is told as such when pages of it are nonsense", async () => {
    using directory = temporaryDirectory();
    const store = openStore(directory.path);
    const jobs = Array.from({ length: 500 }, () => newJob());
    await store.write(() => store.submission.submit(jobs, 1));
    store.close();
    const path = directory.of("reeve.db");
    const bytes = new Uint8Array(await Bun.file(path).arrayBuffer());
    bytes.fill(0xa5, 4096 * 2);
    writeFileSync(path, bytes);
    const { exitCode, message } = await sentenceOf(() => {
      const damaged = openStore(directory.path);
      try {
        damaged.jobs.list({ phases: [], after: null, owner: null, last: null });
      } catch (error) {
        throw damaged.explained(error);
      } finally {
        damaged.close();
      }
    });
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain("is damaged");
  });

  test("is told as such when it has been cut off", async () => {
    using directory = temporaryDirectory();
    const store = openStore(directory.path);
    await store.write(() => store.submission.submit([newJob()], 1));
    store.close();
    truncateSync(directory.of("reeve.db"), 5000);
    const { exitCode, message } = await sentenceOf(() => {
      const damaged = openStore(directory.path);
      try {
        damaged.jobs.countByPhase();
      } catch (error) {
        throw damaged.explained(error);
      } finally {
        damaged.close();
      }
    });
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain("is damaged");
  });
});

describe("a store that cannot be written", () => {
  test("is refused with a sentence when it is to be made in a read-only directory", async () => {
    using directory = readOnlyDirectory();
    const { exitCode, message, hint } = await sentenceOf(() => prepare(directory.of("store")));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain(`${directory.of("store")} cannot be written`);
    expect(hint).toContain("--store");
  });

  test("is refused with a sentence when it is there and has become read-only", async () => {
    using directory = readOnlyDirectory((path) => openStore(path).close());
    const { exitCode, message } = await sentenceOf(() => openStore(directory.path));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain("cannot be written");
  });

  test("is refused with a sentence when a file is where its directory should be", async () => {
    using directory = temporaryDirectory();
    const { exitCode, message } = await sentenceOf(() => openStore(directory.write("file", "")));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain(directory.of("file"));
  });

  test("is refused with a sentence when a directory is where its database should be", async () => {
    using directory = temporaryDirectory();
    mkdirSync(directory.of("reeve.db"));
    const { exitCode, message } = await sentenceOf(() => openStore(directory.path));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain(directory.path);
  });
});

describe("a store under which the file changes", () => {
  test("knows that it is in place, or removed, or replaced", () => {
    using at = temporaryStore();
    const path = at.directory.of("reeve.db");
    expect(at.store.isInPlace()).toBe(true);
    renameSync(path, `${path}.old`);
    expect(at.store.isInPlace()).toBe(false);
    writeFileSync(path, "");
    expect(at.store.isInPlace()).toBe(false);
    unlinkSync(path);
    renameSync(`${path}.old`, path);
    expect(at.store.isInPlace()).toBe(true);
  });
});

describe("what a store makes", () => {
  test("is for its owner only, whatever the umask", async () => {
    const umask = process.umask(0);
    try {
      using at = temporaryStore();
      using under = temporaryDirectory();
      openStore(under.of("deep", "store")).close();
      await at.submit(newJob());
      const mode = (...names: string[]): string => (statSync(at.directory.of(...names)).mode & 0o777).toString(8);
      for (const name of ["reeve.db", "reeve.db-wal", "reeve.db-shm", "wake/jobs/bell"]) expect(mode(name)).toBe("600");
      for (const name of ["workers", "wake", "wake/jobs"]) expect(mode(name)).toBe("700");
      expect((statSync(under.of("deep", "store")).mode & 0o777).toString(8)).toBe("700");
    } finally {
      process.umask(umask);
    }
  });
});

describe("a filesystem on which locks do not hold", () => {
  test.each([
    [0x6969, "NFS"],
    [0x517b, "SMB"],
    [0xff534d42, "CIFS"],
    [0xff534d42 | 0, "CIFS"],
    [0xfe534d42, "SMB2"],
    [0x5346414f, "AFS"],
    [0x00c36400, "Ceph"],
    [0x0bd00bd0, "Lustre"],
    [0x47504653, "GPFS"],
    [0x73757245, "Coda"],
  ])("number %d is refused as %s, also when the user says that sharing is fine", async (number, name) => {
    for (const sharedIsFine of [false, true]) {
      const { exitCode, message } = await sentenceOf(() => refuseUnsafeFilesystem("/data", number, sharedIsFine));
      expect(exitCode).toBe(UNAVAILABLE);
      expect(message).toContain(`/data is on a network filesystem (${name})`);
    }
  });

  test.each([
    [0x01021997, "9p"],
    [0x65735546, "FUSE"],
    [0x6a656a63, "virtiofs"],
    [0x786f4256, "VirtualBox shared folder"],
  ])("number %d (%s) is refused unless the user says that it is not shared", async (number, name) => {
    const { exitCode, message, hint } = await sentenceOf(() => refuseUnsafeFilesystem("/data", number, false));
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain(name);
    expect(hint).toContain("REEVE_SHARED_FILESYSTEM=1");
    refuseUnsafeFilesystem("/data", number, true);
  });

  test.each([
    ["ext4", 0xef53],
    ["xfs", 0x58465342],
    ["btrfs", 0x9123683e],
    ["tmpfs", 0x01021994],
    ["overlay", 0x794c7630],
  ])("%s is fine", (_, number) => refuseUnsafeFilesystem("/data", number, false));
});

describe("the directory of a store", () => {
  test("is the flag's, else the environment's, else the configuration's, else one that suits the user", () => {
    const environment = { REEVE_STORE: "/environment", XDG_STATE_HOME: "/state" };
    expect(chooseDirectory("/flag", environment, "/configured", 0)).toBe("/flag");
    expect(chooseDirectory(undefined, environment, "/configured", 0)).toBe("/environment");
    expect(chooseDirectory(undefined, {}, "/configured", 0)).toBe("/configured");
    expect(chooseDirectory(undefined, {}, null, 0)).toBe("/var/lib/reeve");
    expect(chooseDirectory(undefined, { XDG_STATE_HOME: "/state" }, null, 1000)).toBe("/state/reeve");
    expect(chooseDirectory(undefined, {}, null, 1000)).toMatch(/\/\.local\/state\/reeve$/);
  });

  test("is never the empty text", async () => {
    expect((await sentenceOf(() => chooseDirectory("", {}, null, 0))).exitCode).toBe(2);
    expect((await sentenceOf(() => chooseDirectory(undefined, { REEVE_STORE: "" }, null, 0))).exitCode).toBe(2);
  });
});

describe("what a person is told of a failed statement", () => {
  test.each([
    ["database disk image is malformed", "is damaged"],
    ["file is not a database", "is damaged"],
    ["attempt to write a readonly database", "cannot be written"],
    ["EACCES: permission denied, open 'x'", "cannot be written"],
    ["ENOSPC: no space left on device", "is full; nothing was recorded"],
    ["database or disk is full", "is full; nothing was recorded"],
    ["database is locked", "is locked by another process"],
    ["disk I/O error", "disk I/O error"],
  ])("%s: %s", (text, sentence) => {
    const { message, exitCode } = explain(new Error(text), "/store/reeve.db");
    expect(exitCode).toBe(UNAVAILABLE);
    expect(message).toContain("/store/reeve.db");
    expect(message).toContain(sentence);
  });
});

test("who has a store open holds its lock on the database, also when it is opened once more in the same process", async () => {
  using at = temporaryStore();
  // SQLite removes the log of a database on which nobody else has one: proc_locks(5)
  const locks = (): number => {
    const { ino } = statSync(at.store.location.database);
    const lines = readFileSync("/proc/locks", "utf8").split("\n");
    return lines.filter((line) => line.includes(` ${process.pid} `) && line.includes(`:${ino} `)).length;
  };
  expect(locks()).toBe(1);
  at.another();
  expect(locks()).toBe(1);
  await at.submit(newJob());
  expect(locks()).toBe(1);
});
