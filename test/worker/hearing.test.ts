import { expect, test } from "bun:test";
import type { WorkerEvent } from "../../src/events.ts";
import type { Heard, RunningTree, Slot } from "../../src/process/port.ts";
import { runtime } from "../../src/runtime/index.ts";
import { ActiveJob, type Adopted } from "../../src/worker/active-job.ts";
import { Hearing } from "../../src/worker/hearing.ts";
import { KernelLocks } from "../../src/worker/locks.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { processPlace } from "../support/process-place.ts";
import { existing, limits, newJob, temporaryStore } from "../support/temporary.ts";

const NOTHING: Heard = { progress: null, deadlineSeconds: null, log: [], upTo: 0 };
const never = (): never => {
  throw new Error("nobody asks for that here");
};

/** A job that runs and says what the test says, and a store whose commits are counted. */
async function talking(executionDuration = 0, adopted: Omit<Adopted, "tree"> | null = null) {
  const clock = new FakeClock();
  const at = temporaryStore({ clock });
  const { store } = at;
  const place = processPlace();
  const events: WorkerEvent[] = [];
  const asked: string[] = [];
  const begun = store.write(() => {
    const job = store.submission.begin(newJob({ executionDuration }), "worker", clock.now());
    store.attempts.begin({ job, worker: "worker", directory: "/", messageId: "m", receiveCount: 1, at: clock.now() });
    return job;
  });
  clock.settle();
  const job = await begun;
  let hear: (heard: Heard) => void = never;
  let from = -1;
  const slot: Slot = {
    directory: "/nowhere",
    start: never,
    places: never,
    listen: (callback, heard) => {
      hear = callback;
      from = heard;
    },
    catchUp: never,
    collect: never,
    close() {},
  };
  const tree: RunningTree = {
    pid: 4711,
    exited: new Promise(() => {}),
    hasEnded: () => false,
    stop: () => void asked.push("stop"),
    kill: () => void asked.push("kill"),
    remember() {},
    forward() {},
    suspend: () => Promise.resolve(),
    resume() {},
    gone: () => Promise.resolve(null),
    leave() {},
    letGo() {},
  };
  const active = new ActiveJob(
    {
      queue: null,
      message: {
        id: job.id,
        receipt: job.id,
        receiveCount: 1,
        job,
        rejected: null,
        isLast: false,
        leasedUntil: 0,
        ifGivenUp: "bury",
      },
      job,
      inputs: store.jobs.inputs(job.seq),
      planned: { kind: "rejected", reason: "it is not run", limits: limits() },
      slot,
      startedAt: clock.now(),
      outlives: adopted !== null,
      adopted: adopted && { ...adopted, tree },
    },
    { clock, graceLeft: () => 0, stopSignal: () => null, wake() {}, endsOutliving: true },
  );
  active.begun(tree);
  const hearing = new Hearing(active, {
    clock,
    random: () => 0,
    store,
    queues: [],
    processes: place.manager,
    locks: new KernelLocks(runtime.libc()),
    emit: (event) => void events.push(event),
  });
  hearing.begin();
  return {
    clock,
    at,
    active,
    hearing,
    events,
    asked,
    from,
    says: (heard: Partial<Heard>) => hear({ ...NOTHING, ...heard }),
    job: () => at.job(job),
    attempt: () => existing(store.attempts.one(job.seq, 1)),
    changes: () => existing(store.database.get<{ n: number }>("SELECT total_changes() AS n")).n,
    [Symbol.dispose]() {
      at[Symbol.dispose]();
      place[Symbol.dispose]();
    },
  };
}

const progress = (fraction: number): Partial<Heard> => ({
  progress: { fraction, message: `${fraction}` },
  upTo: fraction * 1000,
});

test("what a job says is in the store at once, some five times a second, and the last word always", async () => {
  using it = await talking();
  const before = it.changes();
  it.says(progress(0.001));
  await it.clock.advance(20);
  expect(it.job()).toMatchObject({ progress: 0.001, progressMessage: "0.001" });
  // Nothing is counted anew, and no index is written: a row of the job, and one of its attempt.
  expect(it.changes() - before).toBe(2);
  for (let step = 2; step <= 1000; step += 1) {
    it.says(progress(step / 1000));
    await it.clock.advance(1);
  }
  await it.clock.advance(400);
  expect(it.job().progress).toBe(1);
  expect(it.attempt()).toMatchObject({ heard: 1000, allowedMs: null });
  expect((it.changes() - before) / 2).toBeLessThan(10);
  expect(it.clock.waits).toEqual([]);
});

test("of an end that is being recorded nothing more is said", async () => {
  using it = await talking();
  it.says(progress(0.25));
  await it.clock.advance(20);
  it.says(progress(0.5));
  it.hearing.stop();
  it.says(progress(0.75));
  await it.clock.advance(1000);
  expect(it.job().progress).toBe(0.25);
  expect(it.clock.waits).toEqual([]);
});

test("its log lines are told, with no record of a job that nobody will adopt", async () => {
  using it = await talking();
  const before = it.changes();
  it.says({ log: [{ level: "warn", message: "careful" }] });
  await it.clock.advance(1000);
  expect(it.events).toMatchObject([{ type: "job said", level: "warn", said: "careful" }]);
  expect(it.changes()).toBe(before);
});

test("a deadline of its own counts from when it is said, longer or shorter than before", async () => {
  using it = await talking();
  it.active.mayRunFor(1000);
  await it.clock.advance(900);
  it.says({ deadlineSeconds: 5 });
  await it.clock.advance(4000);
  expect(it.active.cause).toBeNull();
  expect(it.attempt().allowedMs).toBe(5900);
  it.says({ deadlineSeconds: 0.5 });
  await it.clock.advance(499);
  expect(it.active.cause).toBeNull();
  await it.clock.advance(1);
  expect([it.active.cause, it.asked]).toEqual(["timeout", ["stop"]]);
});

test("a deadline of its own goes no further than the executionDuration", async () => {
  using it = await talking(3);
  await it.clock.advance(1000);
  it.says({ deadlineSeconds: 3600 });
  await it.clock.advance(20);
  expect(it.attempt().allowedMs).toBe(3000);
});

test("a deadline stands still with the job", async () => {
  using it = await talking();
  it.says({ deadlineSeconds: 1 });
  await it.clock.advance(500);
  await it.active.suspend();
  await it.clock.advance(60_000);
  it.says({ deadlineSeconds: 2 });
  await it.clock.advance(60_000);
  it.active.resume();
  await it.clock.advance(1999);
  expect(it.active.cause).toBeNull();
  await it.clock.advance(1);
  expect(it.active.cause).toBe("timeout");
  expect(it.attempt().allowedMs).toBe(2500);
});

test("who adopts a job goes on where its last worker was", async () => {
  using it = await talking(0, { ranMs: 10_000, allowedMs: null, heard: 4711 });
  expect(it.from).toBe(4711);
  it.says({ deadlineSeconds: 2, upTo: 5000 });
  await it.clock.advance(20);
  expect(it.attempt()).toMatchObject({ heard: 5000, allowedMs: 12_000 });
});

test("what it says after its end goes to the log all the same: who reads what is left does not see it again", async () => {
  using it = await talking();
  it.hearing.stop();
  it.says({ log: [{ level: "info", message: "the last word" }] });
  await it.clock.advance(1000);
  expect(it.events).toMatchObject([{ type: "job said", said: "the last word" }]);
});
