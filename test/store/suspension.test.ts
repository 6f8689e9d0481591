import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import { receive } from "../contract/queue.ts";
import { endOfAttempt } from "../support/attempt-end.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const PUT_BACK: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 0 },
  counts: "lost",
  error: null,
};

/** A job that a worker runs since 1000. */
async function running(at: TemporaryStore, worker = "worker"): Promise<Job> {
  const { store } = at;
  await at.submit(newJob());
  const { job } = only(await receive(new SqliteQueue(store, worker, () => 1000)));
  const start = { job, worker, directory: "/slot", messageId: job.id, receiveCount: 1, at: 1000 };
  await store.write(() => store.attempts.begin(start));
  return job;
}

const write = <T>({ store }: TemporaryStore, work: (suspension: typeof store.suspension) => T): Promise<T> =>
  store.write(() => work(store.suspension));

const attempt = ({ store }: TemporaryStore, job: Job) => existing(store.attempts.one(job.seq, 1));
const story = ({ store }: TemporaryStore, job: Job) => store.decisions.of(job.seq).map(({ what, by }) => [what, by]);

describe("a job that runs", () => {
  test("is asked to stand still once, and is its worker's affair then", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await running(at, "another");
    expect(at.store.suspension.of("worker")).toEqual([]);
    await write(at, (suspension) => suspension.ask(job.seq, 2000, "ann"));
    await write(at, (suspension) => suspension.ask(job.seq, 2001, "bob"));
    expect(at.job(job)).toMatchObject({ phase: "EXECUTING", suspendBy: "ann" });
    expect(at.store.suspension.of("worker")).toEqual([{ seq: job.seq, phase: "EXECUTING", suspendBy: "ann" }]);
    expect(at.store.suspension.of("another")).toEqual([]);
    expect(story(at, job)).toEqual([
      ["started", "worker"],
      ["suspend asked", "ann"],
    ]);
  });

  test("stands still and goes on, and its time does not count meanwhile", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await write(at, (suspension) => suspension.ask(job.seq, 1500, "ann"));
    await write(at, (suspension) => suspension.begun(job, 2000, "worker"));
    expect(at.job(job).phase).toBe("SUSPENDED");
    expect(attempt(at, job)).toMatchObject({ suspendedAt: 2000, suspendedMs: 0 });
    await write(at, (suspension) => suspension.lift(job.seq, 3400, "bob"));
    expect(at.store.suspension.of("worker")).toEqual([{ seq: job.seq, phase: "SUSPENDED", suspendBy: null }]);
    await write(at, (suspension) => suspension.ended(job, 3500, "worker"));
    expect(at.job(job)).toMatchObject({ phase: "EXECUTING", suspendBy: null });
    expect(attempt(at, job)).toMatchObject({ suspendedAt: null, suspendedMs: 1500 });
    await at.store.write(() => at.store.attempts.end(job, endOfAttempt(0, 6000), PUT_BACK, "worker"));
    expect(at.job(job)).toMatchObject({ runningMs: 6000 - 1000 - 1500 });
    expect(story(at, job).map(([what]) => what)).toEqual(["started", "suspend asked", "SUSPENDED", "resume asked", "EXECUTING", "QUEUED, release"]); // prettier-ignore
  });

  test("may end while it stands still: the next attempt runs, and the standstill counts for nothing", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await write(at, (suspension) => suspension.ask(job.seq, 1500, "ann"));
    await write(at, (suspension) => suspension.begun(job, 2000, "worker"));
    await at.store.write(() => at.store.attempts.end(job, endOfAttempt(0, 9000), PUT_BACK, "worker"));
    expect(at.job(job)).toMatchObject({ phase: "QUEUED", suspendBy: null, runningMs: 1000 });
    expect(attempt(at, job)).toMatchObject({ suspendedAt: null, suspendedMs: 7000 });
    expect(only(await receive(new SqliteQueue(at.store, "worker", () => 10_000))).job.phase).toBe("EXECUTING");
  });

  test("does not change by what comes too late", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await at.store.write(() => at.store.attempts.end(job, endOfAttempt(0, 2000), PUT_BACK, "worker"));
    await write(at, (suspension) => suspension.begun(job, 3000, "worker"));
    expect(at.job(job).phase).toBe("QUEUED");
    const again = only(await receive(new SqliteQueue(at.store, "worker", () => 4000))).job;
    await write(at, (suspension) => suspension.begun(job, 5000, "worker"));
    expect(at.job(again).phase).toBe("EXECUTING");
    await write(at, (suspension) => suspension.ended(job, 6000, "worker"));
    expect(attempt(at, job)).toMatchObject({ suspendedAt: null, suspendedMs: 0 });
  });

  test("has no negative standstill, also by a clock that was put back", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await write(at, (suspension) => suspension.begun(job, 2000, "worker"));
    await write(at, (suspension) => suspension.ended(job, 1000, "worker"));
    expect(attempt(at, job).suspendedMs).toBe(0);
  });

  test("that is being aborted is not suspended any more", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await at.store.write(() => at.store.steering.abort(job.seq, 2000, "ann"));
    const asked = write(at, (suspension) => suspension.ask(job.seq, 2001, "bob"));
    await expect(asked).rejects.toThrow("is being aborted, as ann asked");
  });

  test("is aborted also while it stands still", async () => {
    using at = temporaryStore();
    const job = await running(at);
    await write(at, (suspension) => suspension.ask(job.seq, 1500, "ann"));
    await write(at, (suspension) => suspension.begun(job, 2000, "worker"));
    await at.store.write(() => at.store.steering.abort(job.seq, 2500, "bob"));
    expect(only(at.store.workers.abortsOf("worker"))).toMatchObject({ phase: "SUSPENDED", abortBy: "bob" });
  });
});

describe("a job held by hand", () => {
  test("is not claimed, and not let go by what it waits for, until it is started", async () => {
    using at = temporaryStore();
    const { store } = at;
    const [first, second] = await at.submit(newJob(), newJob());
    const failed = existing(first);
    const dependent = only(await at.submit(newJob({ after: [failed.id] })));
    await store.write(() => store.steering.hold(existing(second).seq, 2000, "ann"));
    await store.write(() => store.steering.hold(dependent.seq, 2000, "ann"));
    expect(at.job(dependent)).toMatchObject({ phase: "HELD", heldBy: "ann", destruction: 2000 + 7 * 24 * 3600 * 1000 });
    expect(await receive(new SqliteQueue(store, "worker", () => 2500))).toHaveLength(1);
    await store.write(() => store.database.run("UPDATE jobs SET phase = 'ERROR' WHERE seq = ?", failed.seq));
    const again = only(await at.submit(newJob({ retryOf: failed.id })));
    await store.write(() => store.steering.retried(failed, again.id, 3000, "bob"));
    expect(at.job(dependent)).toMatchObject({ phase: "HELD", heldBy: "ann", waiting: 1 });
    await store.write(() => store.steering.start(dependent.seq, 4000, "ann"));
    expect(at.job(dependent)).toMatchObject({ phase: "QUEUED", heldBy: null, destruction: null, waiting: 0 });
  });

  test("stays held by the first who did, and one that is HELD already becomes so by hand", async () => {
    using at = temporaryStore();
    const { store } = at;
    const job = only(await at.submit(newJob()));
    await store.write(() => store.database.run("UPDATE jobs SET phase = 'HELD'"));
    await store.write(() => store.steering.hold(job.seq, 2000, "ann"));
    await store.write(() => store.steering.hold(job.seq, 2001, "bob"));
    expect(at.job(job)).toMatchObject({ phase: "HELD", heldBy: "ann" });
  });
});
