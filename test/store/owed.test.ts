import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import { receive } from "../contract/queue.ts";
import { endOfAttempt } from "../support/attempt-end.ts";
import { newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const IN_A_MINUTE: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 60_000 },
  counts: "nothing",
  error: null,
};

/** A job that waits for its next start, which is to clean up after the first. */
async function owing(at: TemporaryStore): Promise<Job> {
  const { store } = at;
  await at.submit(newJob());
  const { job } = only(await receive(new SqliteQueue(store, "worker", () => 1000)));
  const start = { job, worker: "worker", directory: "/slot", messageId: job.id, receiveCount: 1, at: 1000 };
  await store.write(() => store.attempts.begin(start));
  await store.write(() => {
    store.cleanUps.owe(job.seq, 1, null);
    store.attempts.end(job, endOfAttempt(1, 2000), IN_A_MINUTE, "worker");
  });
  return job;
}

describe("a job that is to be cleaned up after", () => {
  test("is not forgotten before that", async () => {
    using at = temporaryStore();
    const { store } = at;
    const job = await owing(at);
    expect(await store.write(() => store.forgetting.forget(job.seq, 3000))).toBe(false);
    await store.write(() => store.cleanUps.paid(job.seq));
    expect(await store.write(() => store.forgetting.forget(job.seq, 3000))).toBe(true);
  });

  test("is aborted by its next start, which comes at once", async () => {
    using at = temporaryStore();
    const { store } = at;
    const job = await owing(at);
    expect(at.job(job).availableAt).toBe(62_000);
    await store.write(() => store.steering.abort(job.seq, 3000, "ann"));
    expect(at.job(job)).toMatchObject({ phase: "QUEUED", abortBy: "ann", availableAt: null });
    expect(await receive(new SqliteQueue(store, "worker", () => 3000))).toHaveLength(1);
  });

  test("is not kept from that by being held", async () => {
    using at = temporaryStore();
    const { store } = at;
    const job = await owing(at);
    await store.write(() => store.steering.hold(job.seq, 3000, "bob"));
    await store.write(() => store.steering.abort(job.seq, 4000, "ann"));
    expect(at.job(job)).toMatchObject({ phase: "QUEUED", abortBy: "ann", heldBy: null });
  });
});
