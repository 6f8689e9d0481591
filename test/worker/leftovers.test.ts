import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { messageOf } from "../../src/errors.ts";
import type { WorkerEvent } from "../../src/events.ts";
import { runtime } from "../../src/runtime/index.ts";
import { KernelLocks, waitForLock } from "../../src/worker/locks.ts";
import { removeLeftovers } from "../../src/worker/leftovers.ts";
import { receive } from "../contract/queue.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { unchangeable } from "../support/filesystems.ts";
import { sqliteHarness } from "../support/sqlite-queue.ts";
import {
  existing,
  newJob,
  only,
  temporaryDirectory,
  temporaryStore,
  type TemporaryStore,
} from "../support/temporary.ts";

const locks = new KernelLocks(runtime.libc());

/** Directories of workers, with something in them. */
function directories({ store }: TemporaryStore, ...ids: string[]): string[] {
  return ids.map((id) => {
    mkdirSync(`${store.location.worker(id)}/slot-1/results`, { recursive: true });
    return store.location.worker(id);
  });
}

function remove({ store }: TemporaryStore): WorkerEvent[] {
  const events: WorkerEvent[] = [];
  removeLeftovers({ store, locks, emit: (event) => events.push(event) });
  return events;
}

const workerRow = (id: string, directory: string) => ({
  id,
  directory,
  startedAt: 0,
  host: "host",
  pid: 2,
  bootId: "boot",
  pidNamespace: "main",
  version: "1",
  concurrency: 1,
});

describe("a worker's directory that no row names", () => {
  test("is removed with all that is in it when its lock is free", () => {
    using at = temporaryStore();
    directories(at, "killed-early", "killed-late");
    expect(remove(at)).toEqual([]);
    expect(readdirSync(at.store.location.workers)).toEqual([]);
  });

  test("stays when its lock is held: that one is about to register", () => {
    using at = temporaryStore();
    const [directory = ""] = directories(at, "starting");
    const lock = existing(locks.tryTake(directory));
    remove(at);
    expect(existsSync(`${directory}/slot-1`)).toBe(true);
    lock.release();
    remove(at);
    expect(existsSync(directory)).toBe(false);
  });

  test("stays while a job that has not ended has its files there", async () => {
    const harness = await sqliteHarness();
    const { at, queue } = harness;
    await harness.submit();
    const { job } = only(await receive(queue));
    const [mine = ""] = directories(at, "gone", "gone-too");
    const start = { job, worker: "worker-1", directory: `${mine}/slot-1`, messageId: job.id, receiveCount: 1, at: 1 };
    await at.store.write(() => at.store.attempts.begin(start));
    remove(at);
    expect(readdirSync(at.store.location.workers)).toEqual(["gone"]);
    await harness.close();
  });

  test("that cannot be removed is told, and is no reason to end", () => {
    using at = temporaryStore();
    const [directory = ""] = directories(at, "stuck");
    using _ = unchangeable(`${directory}/slot-1`);
    expect(remove(at)).toMatchObject([{ type: "trouble", what: expect.stringContaining(directory) }]);
  });
});

describe("the directory of an attempt that outlives its worker", () => {
  test("stays as long as the job has it, and is removed when that has ended without a word of its worker", async () => {
    const harness = await sqliteHarness();
    const { at, queue } = harness;
    await harness.submit();
    const message = only(await receive(queue));
    const { id, attempts } = message.job;
    const own = at.store.location.outlivingAttempt(id, attempts);
    const others = [[id, attempts + 1] as const, ["forgotten", 1] as const];
    const left = others.map((other) => at.store.location.outlivingAttempt(...other));
    for (const directory of [own, ...left]) mkdirSync(`${directory}/results`, { recursive: true });
    expect(remove(at)).toEqual([]);
    expect([own, ...left].map((directory) => existsSync(directory))).toEqual([true, false, false]);
    await queue.acknowledge(message.receipt);
    remove(at);
    expect(existsSync(own)).toBe(false);
    await harness.close();
  });
});

describe("a body in a file", () => {
  test("is removed where no job has it and its worker is dead, and only then", async () => {
    using at = temporaryStore();
    const { location } = at.store;
    // Names of machines have dots.
    const [dead, ofAJob, living] = [
      location.body("host.example.org-1", "a"),
      location.body("host.example.org-1", "b"),
      location.body("host.example.org-2", "c"),
    ];
    for (const path of [dead, ofAJob, living]) writeFileSync(path, "body");
    await at.submit(newJob({ body: { kind: "file", path: ofAJob, size: 4 } }));
    const id = "host.example.org-2";
    await at.store.write(() => at.store.workers.register(workerRow(id, location.worker(id))));
    expect(remove(at)).toEqual([]);
    expect([dead, ofAJob, living].map((path) => existsSync(path))).toEqual([false, true, true]);
  });
});

test("the directory of a worker that has a row is left to recovery", async () => {
  using at = temporaryStore();
  const [directory = ""] = directories(at, "dead");
  await at.store.write(() => at.store.workers.register(workerRow("dead", directory)));
  remove(at);
  expect(existsSync(`${directory}/slot-1`)).toBe(true);
});

describe("a worker's lock", () => {
  test("is waited for while somebody looks whether it was left behind", async () => {
    using directory = temporaryDirectory();
    const clock = new FakeClock();
    const looking = existing(locks.tryTake(directory.of("worker")));
    const taken = waitForLock(locks, directory.of("worker"), clock);
    await takeTurns();
    rmSync(directory.of("worker"), { recursive: true });
    looking.release();
    await clock.advance(10);
    const lock = await taken;
    expect(locks.tryTake(directory.of("worker"))).toBeNull();
    lock.release();
  });

  test("is not waited for for ever", async () => {
    using directory = temporaryDirectory();
    const clock = new FakeClock();
    const held = existing(locks.tryTake(directory.of("worker")));
    const refused = waitForLock(locks, directory.of("worker"), clock).then(() => "it is taken", messageOf);
    await clock.advance(60_000);
    expect(await refused).toContain("in use by another worker");
    held.release();
  });

  test("on a file that was removed meanwhile is none", () => {
    using directory = temporaryDirectory();
    const { flock } = runtime.libc();
    let calls = 0;
    const removing = new KernelLocks({
      ...runtime.libc(),
      flock(descriptor, operation) {
        calls += 1;
        if (calls === 1) rmSync(directory.of("worker"), { recursive: true });
        return flock(descriptor, operation);
      },
    });
    const lock = existing(removing.tryTake(directory.of("worker")));
    expect(calls).toBe(2);
    expect(locks.tryTake(directory.of("worker"))).toBeNull();
    lock.release();
  });
});
