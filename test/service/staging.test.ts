import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { keepClean } from "../../src/service/staging.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const HOUR_MS = 3600 * 1000;

test("what a server that was killed left is removed when nobody can be at it any more, and not before", async () => {
  using directory = temporaryDirectory();
  const uploads = directory.of("uploads");
  mkdirSync(directory.of("uploads/left"), { recursive: true });
  const left = directory.write("uploads/left/file", "content");
  const clock = new FakeClock(Date.now());
  const faults: unknown[] = [];
  const stop = keepClean({ uploads }, clock, (error) => faults.push(error));
  await clock.advance(23 * HOUR_MS);
  expect(existsSync(left)).toBe(true);
  await clock.advance(3 * HOUR_MS);
  expect(existsSync(directory.of("uploads/left"))).toBe(false);
  rmSync(uploads, { recursive: true });
  await clock.advance(HOUR_MS);
  expect([existsSync(uploads), faults]).toEqual([false, []]);
  stop();
  expect(clock.waits).toEqual([]);
});
