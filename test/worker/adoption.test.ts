import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import type { WorkerEvent } from "../../src/events.ts";
import type { RunningTree, TreeExit } from "../../src/process/port.ts";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Job } from "../../src/store/job.ts";
import { Dispatcher } from "../../src/worker/dispatcher.ts";
import { ExitHandlers } from "../../src/worker/exit-handlers.ts";
import { KernelLocks } from "../../src/worker/locks.ts";
import { Leases } from "../../src/worker/leases.ts";
import { Planner } from "../../src/worker/plan.ts";
import type { Ports } from "../../src/worker/ports.ts";
import { Stop } from "../../src/worker/stop.ts";
import { receive } from "../contract/queue.ts";
import { eventually } from "../support/eventually.ts";
import { processPlace } from "../support/process-place.ts";
import { newJob, only, temporaryStore } from "../support/temporary.ts";

const EXITED: TreeExit = { code: 0, signal: null, usage: null, failure: null };
const PLACE = { host: "here", pid: 7, bootId: "boot", pidNamespace: "pid:[1]", version: "1", concurrency: 1 };

/** A tree that outlived its worker; it has ended where `exit` is given. */
function outlivedTree(exit: TreeExit | null) {
  const asked: string[] = [];
  const tree: RunningTree = {
    pid: 4711,
    exited: exit ? Promise.resolve(exit) : new Promise(() => {}),
    hasEnded: () => exit !== null,
    stop: () => void asked.push("stop"),
    kill: () => void asked.push("kill"),
    remember: () => {},
    forward: (signal) => void asked.push(signal),
    suspend: async () => void asked.push("suspend"),
    resume: () => void asked.push("resume"),
    gone: () => Promise.resolve(null),
    leave: () => void asked.push("leave"),
    letGo: () => void asked.push("let go"),
  };
  return { tree, asked };
}

/** A job of a worker that is dead, and another worker that may adopt it. */
async function orphaned(exit: TreeExit | null) {
  const place = processPlace();
  const at = temporaryStore();
  const { store } = at;
  for (const id of ["dead", "next"])
    await store.write(() => store.workers.register({ ...PLACE, id, directory: `/${id}`, startedAt: 1 }));
  await at.submit(newJob({ command: ["true"] }));
  const job = only(await receive(new SqliteQueue(store, "dead", Date.now))).job;
  const slot = place.manager.outlivingSlot(store.location.outlivingAttempt(job.id, 1));
  const { directory } = slot;
  const begun = { job, worker: "dead", directory, messageId: job.id, receiveCount: 1, at: Date.now() - 5000 };
  await store.write(() => store.attempts.begin(begun));
  const events: WorkerEvent[] = [];
  const ports: Ports = {
    clock: systemClock,
    random: () => 0.5,
    store,
    queues: [new SqliteQueue(store, "next", Date.now)],
    processes: place.manager,
    locks: new KernelLocks(runtime.libc()),
    emit: (event) => void events.push(event),
  };
  const stop = new Stop(systemClock, 25_000, () => {});
  const dispatcher = new Dispatcher({
    ports,
    worker: "next",
    planner: new Planner(new Map(), {}),
    slots: [place.slot],
    maxJobs: null,
    stays: true,
    definitions: new Map(),
    newSlot: () => place.slot,
    newWarmSlot: () => null,
    poke: () => {},
    wake: () => {},
    stop,
    exitHandlers: new ExitHandlers(ports, { ...PLACE, name: "here" }, stop),
    leases: new Leases(ports, stop.fault),
    endsOutliving: false,
  });
  const { tree, asked } = outlivedTree(exit);
  return {
    at,
    job,
    stop,
    dispatcher,
    asked,
    adopt: () => dispatcher.adopt(job, { kind: "outlived", tree, slot }),
    phase: (phase: Job["phase"]) => eventually(`it is ${phase}`, () => at.job(job).phase === phase),
    [Symbol.dispose]() {
      stop.close();
      at[Symbol.dispose]();
      place[Symbol.dispose]();
    },
  };
}

describe("a job that outlived its worker is adopted", () => {
  test("and takes a place of its new worker", async () => {
    using one = await orphaned(null);
    expect(one.dispatcher.room).toBeGreaterThan(0);
    expect(await one.adopt()).toBe(true);
    expect(one.dispatcher.room).toBe(0);
    expect(one.at.job(one.job)).toMatchObject({ phase: "EXECUTING", worker: "next", receipt: `${one.job.receipt}+1` });
  });

  test("in the moment in which its new worker is stopped: it goes on", async () => {
    using one = await orphaned(null);
    const adopted = one.adopt();
    one.stop.ask();
    expect(await adopted).toBe(true);
    one.dispatcher.steering.stopAll();
    one.dispatcher.killAll();
    expect(one.dispatcher.leftAlone).toBe(1);
    expect(one.dispatcher.letGo()).toBe(1);
    expect(one.asked).toEqual(["resume", "let go"]);
    expect(one.at.job(one.job)).toMatchObject({ phase: "EXECUTING", worker: "next" });
  });

  test("in that moment, and has ended by itself before: that stands", async () => {
    using one = await orphaned(EXITED);
    const adopted = one.adopt();
    one.stop.ask();
    await adopted;
    await one.phase("COMPLETED");
  });

  test("when its abort was asked for, though it has ended since: it is aborted", async () => {
    using one = await orphaned(EXITED);
    await one.at.store.write(() => one.at.store.steering.abort(one.job.seq, Date.now(), "somebody"));
    await one.adopt();
    await one.phase("ABORTED");
    expect(only(one.at.store.attempts.of(one.job.seq))).toMatchObject({ cause: "abort", exitCode: 0 });
  });

  test("with what it ran before: that counts as its own time", async () => {
    using one = await orphaned({ ...EXITED, endedAt: Date.now() - 2000 });
    await one.adopt();
    await one.phase("COMPLETED");
    expect(one.at.job(one.job).runningMs).toBeWithin(2500, 3500);
  });

  test("by nobody who stops already, and by no second one", async () => {
    using one = await orphaned(null);
    using other = await orphaned(null);
    one.stop.ask();
    expect(await one.adopt()).toBe(false);
    expect(one.asked).toEqual(["let go"]);
    expect(one.at.job(one.job).worker).toBe("dead");
    expect(await other.adopt()).toBe(true);
    expect(await other.adopt()).toBe(false);
    expect(other.dispatcher.running).toBe(1);
  });
});
