import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import { receive } from "../contract/queue.ts";
import { sentenceOf } from "../support/errors.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const NOW = 1_700_000_000_000;
const COMPLETED: Settlement = { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null };
const FAILED: Settlement = { phase: "ERROR", verdict: { kind: "bury", reason: "no" }, counts: "failure", error: null };
const PUT_BACK: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 0 },
  counts: "failure",
  error: null,
};

const queueOf = ({ store }: TemporaryStore): SqliteQueue => new SqliteQueue(store, "worker", () => NOW);

const claimable = async (at: TemporaryStore): Promise<string[]> =>
  (await receive(queueOf(at), { max: 100 })).map(({ id }) => id);

/** Claims the one job that is there, and ends it so. */
async function runOne(at: TemporaryStore, settlement: Settlement): Promise<Job> {
  const { job } = only(await receive(queueOf(at), { max: 1 }));
  const end = {
    ending: { kind: "exited", code: 0 },
    cause: null,
    endedAt: NOW,
    pid: 1,
    userMicroseconds: null,
    systemMicroseconds: null,
    peakBytes: null,
    outputs: [],
    results: [],
    progress: null,
  } as const;
  await at.store.write(() => at.store.attempts.end(job, end, settlement, "worker"));
  return job;
}

const submitAfter = async (at: TemporaryStore, ...others: Job[]): Promise<Job> =>
  only(await at.submit(newJob({ after: others.map(({ id }) => id) })));

const submitOne = async (at: TemporaryStore): Promise<Job> => only(await at.submit(newJob()));

/** A new job in the place of an old one. */
async function retry(at: TemporaryStore, old: Job): Promise<Job> {
  const replacement = only(await at.submit(newJob({ retryOf: old.id })));
  await at.store.write(() => at.store.steering.retried(at.job(old), replacement.id, NOW, "a test"));
  return replacement;
}

const abort = (at: TemporaryStore, job: Job) => at.store.write(() => at.store.steering.abort(job.seq, NOW, "a test"));

const start = (at: TemporaryStore, job: Job) => at.store.write(() => at.store.steering.start(job.seq, NOW, "a test"));

describe("a job that waits for another", () => {
  test("is QUEUED and not claimed until that has completed", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    expect(waiting).toMatchObject({ phase: "QUEUED", waiting: 1 });
    await runOne(at, COMPLETED);
    expect(await claimable(at)).toEqual([waiting.id]);
  });

  test("goes on waiting while that is tried again", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await runOne(at, PUT_BACK);
    expect(at.job(waiting)).toMatchObject({ phase: "QUEUED", waiting: 1 });
    expect(await claimable(at)).toEqual([first.id]);
  });

  test("need not wait for what has completed already", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    await runOne(at, COMPLETED);
    const waiting = await submitAfter(at, first);
    expect(waiting.waiting).toBe(0);
    expect(await claimable(at)).toEqual([waiting.id]);
  });

  test("waits for all that it was told to, and for each once", async () => {
    using at = temporaryStore();
    const [first, second] = [await submitOne(at), await submitOne(at)];
    const waiting = await submitAfter(at, first, second, first);
    expect(waiting.waiting).toBe(2);
    await runOne(at, COMPLETED);
    expect(at.job(waiting).waiting).toBe(1);
    await runOne(at, COMPLETED);
    expect(await claimable(at)).toEqual([waiting.id]);
  });

  test("may be one of many that wait for the same", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = [await submitAfter(at, first), await submitAfter(at, first)];
    await runOne(at, COMPLETED);
    expect(await claimable(at)).toEqual(waiting.map(({ id }) => id));
  });

  test("may wait for a job of the same batch", async () => {
    using at = temporaryStore();
    const first = newJob();
    const [, waiting] = await at.submit(first, newJob({ after: [first.id] }));
    expect(existing(waiting).waiting).toBe(1);
  });

  test("is refused, with its whole batch, when there is no such job", async () => {
    using at = temporaryStore();
    const { exitCode, message } = await sentenceOf(() => at.submit(newJob(), newJob({ after: ["nobody"] })));
    expect(exitCode).toBe(3);
    expect(message).toContain("nobody");
    expect(at.store.jobs.countByPhase()).toEqual(new Map());
  });
});

describe("when what a job waits for does not complete", () => {
  test("it is HELD, and why is written down", async () => {
    using at = temporaryStore();
    const waiting = await submitAfter(at, await submitOne(at));
    await runOne(at, FAILED);
    expect(at.job(waiting).phase).toBe("HELD");
    expect(at.store.decisions.of(waiting.seq).at(-1)).toMatchObject({
      what: "HELD",
      why: expect.stringContaining("ERROR"),
    });
    expect(await claimable(at)).toEqual([]);
  });

  test("it is HELD also by an abort", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await abort(at, first);
    expect(at.job(waiting).phase).toBe("HELD");
  });

  test("it is HELD from the start when that has failed already", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    await runOne(at, FAILED);
    const waiting = await submitAfter(at, first);
    expect(waiting.phase).toBe("HELD");
    expect(waiting.destruction).not.toBeNull();
  });

  test("it is HELD also when that is forgotten before it was run", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await at.store.write(() => at.store.forgetting.forget(first.seq, NOW));
    expect(at.job(waiting).phase).toBe("HELD");
  });

  test("a job that was to be started by hand stays so", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const held = only(await at.submit(newJob({ hold: true, after: [first.id] })));
    await runOne(at, FAILED);
    expect(at.job(held).phase).toBe("PENDING");
  });

  test("what waits for the job that is held goes on waiting", async () => {
    using at = temporaryStore();
    const second = await submitAfter(at, await submitOne(at));
    const third = await submitAfter(at, second);
    await runOne(at, FAILED);
    expect([at.job(second).phase, at.job(third).phase]).toEqual(["HELD", "QUEUED"]);
  });

  test("it has a time of destruction, as every job that is held", async () => {
    using at = temporaryStore();
    const waiting = await submitAfter(at, await submitOne(at));
    await runOne(at, FAILED);
    expect(at.job(waiting).destruction).not.toBeNull();
  });
});

describe("a retry of what failed", () => {
  test("has the waiting job queued again, waiting for the new one", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await runOne(at, FAILED);
    const replacement = await retry(at, first);
    expect(at.job(waiting)).toMatchObject({ phase: "QUEUED", waiting: 1 });
    expect((await runOne(at, COMPLETED)).id).toBe(replacement.id);
    expect(await claimable(at)).toEqual([waiting.id]);
  });

  test("that fails too holds it again", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await runOne(at, FAILED);
    await retry(at, first);
    await runOne(at, FAILED);
    expect(at.job(waiting).phase).toBe("HELD");
  });

  test("leaves it HELD while another that it waits for has failed", async () => {
    using at = temporaryStore();
    const [first, second] = [await submitOne(at), await submitOne(at)];
    const waiting = await submitAfter(at, first, second);
    await runOne(at, FAILED);
    await runOne(at, FAILED);
    await retry(at, first);
    expect(at.job(waiting).phase).toBe("HELD");
    await retry(at, second);
    expect(at.job(waiting)).toMatchObject({ phase: "QUEUED", waiting: 2 });
  });

  test("leaves alone what does not wait for it", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    await runOne(at, COMPLETED);
    const free = await submitAfter(at, first);
    const held = only(await at.submit(newJob({ hold: true })));
    await retry(at, first);
    expect(at.job(free)).toMatchObject({ phase: "QUEUED", waiting: 0 });
    expect(at.job(held).phase).toBe("PENDING");
  });
});

describe("RUN", () => {
  test("of a held job drops what it waited for", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await runOne(at, FAILED);
    expect(await start(at, waiting)).toMatchObject({ phase: "QUEUED", waiting: 0, destruction: null });
    await retry(at, first);
    expect(at.job(waiting).waiting).toBe(0);
    expect(await claimable(at)).toContain(waiting.id);
  });

  test("of a job that is queued and waits changes nothing", async () => {
    using at = temporaryStore();
    const waiting = await submitAfter(at, await submitOne(at));
    expect(await start(at, waiting)).toEqual(waiting);
  });
});

describe("an abort of the waiting job", () => {
  test("lets the other go its way", async () => {
    using at = temporaryStore();
    const first = await submitOne(at);
    const waiting = await submitAfter(at, first);
    await abort(at, waiting);
    await runOne(at, COMPLETED);
    expect(at.job(waiting).phase).toBe("ABORTED");
    expect(await claimable(at)).toEqual([]);
  });
});
