import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { Freshness } from "../../src/process/freshness.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const LATER = Number.POSITIVE_INFINITY;

describe("what a process has loaded", () => {
  test("is fresh as long as nobody touches the files", () => {
    using directory = temporaryDirectory();
    const freshness = new Freshness([directory.write("a.ts", "1"), directory.write("b.ts", "2")], LATER);
    expect(freshness.isFresh).toBe(true);
    expect(freshness.isFresh).toBe(true);
  });

  test("is not when one changed after the process was started, which may have read it before", () => {
    using directory = temporaryDirectory();
    expect(new Freshness([directory.write("a.ts", "1")], Date.now() - 60_000).isFresh).toBe(false);
  });

  const CHANGES = {
    "is written anew": (_path, write) => void write("a.ts", "another"),
    "is replaced by another": (path, write) => renameSync(write("new.ts", "1"), path),
    "is removed": (path) => unlinkSync(path),
  } satisfies Record<string, (path: string, write: (name: string, text: string) => string) => void>;

  for (const [how, change] of Object.entries(CHANGES)) {
    test(`is not any more when one ${how}, whatever comes later`, () => {
      using directory = temporaryDirectory();
      const path = directory.write("a.ts", "1");
      const freshness = new Freshness([path], LATER);
      change(path, (name, text) => directory.write(name, text));
      expect(freshness.isFresh).toBe(false);
      expect(freshness.isFresh).toBe(false);
    });
  }

  test("is not any more when a link on the way leads elsewhere", () => {
    using directory = temporaryDirectory();
    for (const release of ["one", "two"]) {
      mkdirSync(directory.of(release));
      directory.write(`${release}/jobs.ts`, "the same");
    }
    symlinkSync("one", directory.of("current"));
    const freshness = new Freshness([directory.of("current/jobs.ts")], LATER);
    rmSync(directory.of("current"));
    symlinkSync("two", directory.of("current"));
    expect(freshness.isFresh).toBe(false);
  });

  test("changes with a package's manifest, and not with another file of it", () => {
    using directory = temporaryDirectory();
    mkdirSync(directory.of("node_modules/@a/b/lib"), { recursive: true });
    directory.write("node_modules/@a/b/package.json", "{}");
    const file = directory.write("node_modules/@a/b/lib/index.js", "1");
    const freshness = new Freshness([file], LATER);
    directory.write("node_modules/@a/b/lib/index.js", "another");
    expect(freshness.isFresh).toBe(true);
    directory.write("node_modules/@a/b/package.json", '{ "version": "2.0.0" }');
    expect(freshness.isFresh).toBe(false);
  });
});
