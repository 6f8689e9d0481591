import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { isOutOfFiles } from "../../src/errors.ts";
import { allProcesses, environmentOf, filesOf, readStat } from "../../src/process/proc.ts";
import { withSpare } from "../../src/process/spare.ts";
import { runtime } from "../../src/runtime/index.ts";
import { descriptorsOf } from "../support/processes.ts";

const ownLimit = (): number => Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);

/** Runs `work` when this process has no descriptor left to open. */
function withoutDescriptors<T>(work: () => T): T {
  const limit = ownLimit();
  const opened: number[] = [];
  runtime.libc().setOpenFilesLimit((descriptorsOf(process.pid)?.length ?? 0) + 20);
  try {
    for (;;) opened.push(openSync("/dev/null", "r"));
  } catch (error) {
    if (!isOutOfFiles(error)) throw error;
    return work();
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
    runtime.libc().setOpenFilesLimit(limit);
  }
}

const openOne = (): void => closeSync(openSync("/dev/null", "r"));

test("what runs is seen also by a process that has no descriptor left", () => {
  // From the first look on there is a spare one.
  readStat(process.pid);
  const seen = withoutDescriptors(() => {
    expect(openOne).toThrow("EMFILE");
    const looks = [1, 2, 3].map(() => [readStat(process.pid)?.pid, [...allProcesses()].length > 0]);
    return { looks, environment: environmentOf(process.pid).length, files: filesOf(process.pid).size };
  });
  expect(seen.looks).toEqual([1, 2, 3].map(() => [process.pid, true]));
  expect(seen.environment).toBeGreaterThan(0);
  expect(seen.files).toBeGreaterThan(0);
});

test("the spare one is kept for the next time, also when what it was given up for fails", () => {
  withSpare(openOne);
  const failing = (): never => {
    openOne();
    throw new Error("it failed by itself");
  };
  withoutDescriptors(() => {
    expect(() => withSpare(failing)).toThrow("it failed by itself");
    expect(openOne).toThrow("EMFILE");
    withSpare(openOne);
  });
});
