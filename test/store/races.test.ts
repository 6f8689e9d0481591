import { endOfAttempt } from "../support/attempt-end.ts";
import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { AttemptEnd, Job, Settlement } from "../../src/store/job.ts";
import { receive } from "../contract/queue.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const END = endOfAttempt(0, 9000);
const COMPLETED: Settlement = { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null };
const PUT_BACK: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 0 },
  counts: "failure",
  error: null,
};

/** A job that a worker has claimed, and begun. */
async function running({ store, submit }: TemporaryStore): Promise<Job> {
  await submit(newJob());
  const queue = new SqliteQueue(store, "worker", () => 1000);
  const { job } = only(await receive(queue));
  const start = { job, worker: "worker", directory: "/slot", messageId: job.id, receiveCount: 1, at: 1000 };
  await store.write(() => store.attempts.begin(start));
  return job;
}

/** Each request by a connection of its own, in this order. */
function twoConnections(at: TemporaryStore) {
  const other = at.another();
  const abort = (job: Job) => other.write(() => other.steering.abort(job.seq, 5000, "a client"));
  const end = (job: Job, settlement: Settlement, more: Partial<AttemptEnd> = {}) =>
    at.store.write(() => at.store.attempts.end(job, { ...END, ...more }, settlement, "worker"));
  return { other, abort, end };
}

describe("an abort and a completion", () => {
  test("in this order: the job has completed, and stays so", async () => {
    using at = temporaryStore();
    const { abort, end } = twoConnections(at);
    const job = await running(at);
    await abort(job);
    expect(await end(job, COMPLETED)).not.toBeNull();
    const after = at.job(job);
    expect(after.phase).toBe("COMPLETED");
    await abort(job);
    expect(at.job(job)).toEqual(after);
  });

  test("in the other order: the abort changes nothing", async () => {
    using at = temporaryStore();
    const { abort, end } = twoConnections(at);
    const job = await running(at);
    await end(job, COMPLETED);
    const after = at.job(job);
    expect(await abort(job)).toEqual(after);
    expect(at.job(job)).toEqual(after);
  });

  test("at once: one phase comes out, and both connections see the same", async () => {
    using at = temporaryStore();
    const { other, abort, end } = twoConnections(at);
    const job = await running(at);
    await Promise.all([abort(job), end(job, COMPLETED)]);
    expect(at.job(job).phase).toBe("COMPLETED");
    expect(other.jobs.bySeq(job.seq)).toEqual(at.job(job));
  });
});

describe("an abort and a put-back", () => {
  test("in this order: the job is aborted, and not put back", async () => {
    using at = temporaryStore();
    const { abort, end } = twoConnections(at);
    const job = await running(at);
    await abort(job);
    await end(job, PUT_BACK);
    expect(at.job(job)).toMatchObject({ phase: "ABORTED", verdict: "acknowledge", worker: null });
    expect(at.job(job).error).toContain("a client");
  });

  test("in the other order: the job is aborted as one that waits", async () => {
    using at = temporaryStore();
    const { abort, end } = twoConnections(at);
    const job = await running(at);
    await end(job, PUT_BACK);
    await abort(job);
    expect(at.job(job).phase).toBe("ABORTED");
    expect(await receive(new SqliteQueue(at.store, "worker", () => 9999))).toEqual([]);
  });
});

describe("an abort and a claim", () => {
  test("in this order: nothing is there to claim", async () => {
    using at = temporaryStore();
    const { abort } = twoConnections(at);
    const job = only(await at.submit(newJob()));
    await abort(job);
    expect(await receive(new SqliteQueue(at.store, "worker", () => 9999))).toEqual([]);
  });

  test("in the other order: the worker is asked, and finds it", async () => {
    using at = temporaryStore();
    const { abort } = twoConnections(at);
    const job = await running(at);
    await abort(job);
    expect(at.job(job)).toMatchObject({ phase: "EXECUTING", abortBy: "a client" });
    expect(at.store.workers.abortsOf("worker").map(({ id }) => id)).toEqual([job.id]);
    expect(at.store.workers.abortsOf("another")).toEqual([]);
  });

  test("asked for twice is asked for once, by the first", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await at.store.write(() => at.store.steering.abort(job.seq, 1, "first"));
    await at.store.write(() => at.store.steering.abort(job.seq, 2, "second"));
    expect(at.job(job).abortBy).toBe("first");
    expect(at.store.decisions.of(job.seq).filter(({ what }) => what === "abort asked")).toHaveLength(1);
  });
});

describe("two at once", () => {
  test("RUN a held job: it is queued once", async () => {
    using at = temporaryStore();
    const other = at.another();
    const job = only(await at.submit(newJob({ hold: true })));
    await Promise.all([
      at.store.write(() => at.store.steering.start(job.seq, 1, "first")),
      other.write(() => other.steering.start(job.seq, 2, "second")),
    ]);
    expect(at.job(job).phase).toBe("QUEUED");
    expect(at.store.decisions.of(job.seq).filter(({ what }) => what === "QUEUED")).toHaveLength(1);
  });

  test("claim a job: one has it, the other has nothing", async () => {
    using at = temporaryStore();
    const queues = [at.store, at.another()].map((store, index) => new SqliteQueue(store, `worker-${index}`, () => 1));
    await at.submit(newJob());
    const claimed = await Promise.all(queues.map((queue) => receive(queue)));
    expect(claimed.flat()).toHaveLength(1);
  });

  test("tell the end of an attempt: the first is kept whole", async () => {
    using at = temporaryStore();
    const { other, end } = twoConnections(at);
    const job = await running(at);
    const output = { stream: "log", content: { kind: "inline", bytes: new Uint8Array([1]) } } as const;
    expect(await end(job, COMPLETED, { outputs: [output] })).not.toBeNull();
    const more = { ...END, outputs: [{ ...output, content: { kind: "inline", bytes: new Uint8Array([2]) } }] } as const;
    const again = await other.write(() => other.attempts.end(job, more, PUT_BACK, "another"));
    expect(again).toBeNull();
    expect(at.job(job).phase).toBe("COMPLETED");
    expect([...(only(at.store.outputs.outputs(job.seq)).content ?? [])]).toEqual([1]);
    expect(existing(at.store.attempts.one(job.seq, 1))).toMatchObject({ endedAt: 9000, verdict: "acknowledge" });
  });

  test("an end of an earlier attempt changes nothing of a later one", async () => {
    using at = temporaryStore();
    const { end } = twoConnections(at);
    const first = await running(at);
    await end(first, PUT_BACK);
    const second = only(await receive(new SqliteQueue(at.store, "worker", () => 9999))).job;
    expect(await end(first, COMPLETED)).toBeNull();
    expect(at.job(first)).toEqual(second);
  });
});
