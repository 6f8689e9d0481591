import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { WorkerRow } from "../../src/store/workers.ts";
import { receive } from "../contract/queue.ts";
import { newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const row = (id: string): WorkerRow => ({
  id,
  directory: `/${id}`,
  startedAt: 1000,
  host: "here",
  pid: 7,
  bootId: "boot",
  pidNamespace: "pid:[1]",
  version: "1",
  concurrency: 1,
  trouble: null,
  polledAt: null,
});

/** Two workers; the first has a job. */
async function working(at: TemporaryStore) {
  const { store } = at;
  await store.write(() => ["one", "other"].forEach((id) => store.workers.register(row(id))));
  await at.submit(newJob());
  return only(await receive(new SqliteQueue(store, "one", () => 1000))).job;
}

describe("a worker's row", () => {
  test("stays as long as it has a job, so that somebody sees to that", async () => {
    using at = temporaryStore();
    const { workers } = at.store;
    const job = await working(at);
    expect(await at.store.write(() => workers.unregister("one"))).toBe(false);
    await at.store.write(() => at.store.attempts.adopt(job, "EXECUTING", "other", 2000));
    expect(await at.store.write(() => workers.unregister("one"))).toBe(true);
    expect(workers.all().map(({ id }) => id)).toEqual(["other"]);
  });

  test("is there when a job becomes its worker's", async () => {
    using at = temporaryStore();
    const job = await working(at);
    const adopted = await at.store.write(() => {
      at.store.workers.unregister("other");
      return at.store.attempts.adopt(job, "EXECUTING", "other", 2000);
    });
    expect(adopted).toBeNull();
    expect(at.job(job).worker).toBe("one");
  });
});
