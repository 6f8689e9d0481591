import { describe, expect, test } from "bun:test";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { inlineBody } from "../../src/config/message-body.ts";
import { codeOf } from "../../src/errors.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { smallDisk, type SmallDisk } from "../support/filesystems.ts";
import { newJob, openStore } from "../support/temporary.ts";

/** Takes all the room that is left; removing the file gives it back. */
function fill(disk: SmallDisk): string {
  const path = disk.of("filler");
  const descriptor = openSync(path, "a");
  try {
    for (const size of [65_536, 4096, 1]) writeUntilFull(descriptor, new Uint8Array(size));
  } finally {
    closeSync(descriptor);
  }
  return path;
}

function writeUntilFull(descriptor: number, bytes: Uint8Array): void {
  try {
    while (writeSync(descriptor, bytes) === bytes.length);
  } catch (error) {
    if (codeOf(error) !== "ENOSPC") throw error;
  }
}

const large = () => newJob({ body: inlineBody(new Uint8Array(200_000).fill(1)) });

const submit = (store: Store) => store.write(() => store.submission.submit([large()], 1));

describe("on a disk without room", () => {
  test("a verb fails, nothing of it is recorded, and it works again when there is room", async () => {
    using disk = smallDisk("1m");
    const store = openStore(disk.path);
    await store.write(() => store.submission.submit([newJob()], 1));
    const filler = fill(disk);
    const failure: unknown = await submit(store).catch((error: unknown) => store.explained(error));
    expect(String(failure)).toContain("is full; nothing was recorded");
    expect(store.jobs.countByPhase()).toEqual(new Map([["QUEUED", 1]]));
    rmSync(filler);
    await submit(store);
    expect(store.jobs.countByPhase()).toEqual(new Map([["QUEUED", 2]]));
    store.close();
  });

  test("a worker keeps what it has to write, says so, and writes it when there is room", async () => {
    using disk = smallDisk("1m");
    const clock = new FakeClock();
    const troubles: unknown[] = [];
    const store = openStore(disk.path, { clock, patience: "wait", onTrouble: (error) => troubles.push(error) });
    const filler = fill(disk);
    const written = submit(store);
    await clock.advance(5000);
    expect(troubles.length).toBeGreaterThan(0);
    expect(troubles).not.toContain(null);
    expect(store.jobs.countByPhase()).toEqual(new Map());
    rmSync(filler);
    await clock.advance(2000);
    expect(await written).toHaveLength(1);
    expect(troubles.at(-1)).toBeNull();
    expect(store.jobs.countByPhase()).toEqual(new Map([["QUEUED", 1]]));
    store.close();
  });

  test("what is recorded before is there for the next process", async () => {
    using disk = smallDisk("1m");
    const store = openStore(disk.path);
    await store.write(() => store.submission.submit([newJob()], 1));
    fill(disk);
    await submit(store).catch(() => {});
    store.close();
    const next = openStore(disk.path);
    expect(next.jobs.countByPhase()).toEqual(new Map([["QUEUED", 1]]));
    next.close();
  });

  test("a store cannot be made, and says so", async () => {
    using disk = smallDisk("64k");
    fill(disk);
    expect(() => openStore(disk.path)).toThrow(/disk|written|full/);
  });
});
