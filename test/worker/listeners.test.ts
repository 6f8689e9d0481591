import { expect, test } from "bun:test";
import { StopSignals } from "../../src/process/stop-signals.ts";
import { systemClock } from "../../src/clock.ts";
import { ProcessManager } from "../../src/process/manager.ts";
import { bootId, pidNamespace } from "../../src/process/proc.ts";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import { runtime } from "../../src/runtime/index.ts";
import { KernelLocks } from "../../src/worker/locks.ts";
import { STAY } from "../../src/worker/ports.ts";
import { Worker } from "../../src/worker/worker.ts";
import { newId, newJob, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

/** Who listens to what of this process. */
function listeners(): Record<string, number> {
  const names = process.eventNames().map(String).toSorted();
  return Object.fromEntries(names.map((name) => [name, process.listenerCount(name)]));
}

function makeWorker({ store }: TemporaryStore, told: () => void): Worker {
  const id = `worker-${newId()}`;
  const host = { name: "here", pid: process.pid, bootId: bootId(), pidNamespace: pidNamespace() };
  const limits = {
    recoveryIntervalMs: 5000,
    connectTimeoutMs: 60_000,
    stopBudgetMs: 5000,
    unknownAfterMs: 5000,
    concurrency: 2,
  };
  const settings = {
    id,
    version: "0",
    host,
    ...limits,
    definitions: new Map(),
    environment: {},
    foreground: false,
    endsOutliving: false,
  };
  return new Worker(
    { ...settings, goal: { ...STAY, drain: true } },
    {
      clock: systemClock,
      random: Math.random,
      store,
      queues: [new SqliteQueue(store, id, systemClock.now)],
      processes: new ProcessManager(runtime, systemClock),
      locks: new KernelLocks(runtime.libc()),
      emit: told,
    },
  );
}

test("a worker's life takes no listener of this process, and what its signals took is given back", async () => {
  using at = temporaryStore();
  const before = listeners();
  for (let life = 0; life < 3; life += 1) {
    await at.submit(newJob(), newJob({ command: ["/bin/false"] }));
    const signals = new StopSignals();
    const during = listeners();
    expect(Object.keys(during)).toContain("SIGTERM");
    const worker = makeWorker(at, () => expect(listeners()).toEqual(during));
    signals.direct(worker);
    expect((await worker.work()).counts).toEqual({ completed: 1, failed: 1, putBack: 0 });
    signals.remove();
    expect(listeners()).toEqual(before);
  }
});
