import { endOfAttempt } from "../support/attempt-end.ts";
import { describe, expect, test } from "bun:test";
import type { Message } from "../../src/queue/port.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import { receive } from "../contract/queue.ts";
import { sqliteHarness, type SqliteHarness } from "../support/sqlite-queue.ts";
import { newJob, only } from "../support/temporary.ts";

const END = endOfAttempt(1, 0);

const PUT_BACK: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 0 },
  counts: "nothing",
  error: null,
};

/** Runs a test on a fresh queue. */
function on(run: (harness: SqliteHarness) => Promise<void>): () => Promise<void> {
  return async () => {
    const harness = await sqliteHarness();
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };
}

const ids = (messages: readonly Message[]): string[] => messages.map(({ id }) => id);

/** Records the end of an attempt as the worker does. */
function end({ at, now }: SqliteHarness, job: Job, settlement: Partial<Settlement>): Promise<Settlement | null> {
  const { store } = at;
  return store.write(() =>
    store.attempts.end(job, { ...END, endedAt: now() }, { ...PUT_BACK, ...settlement }, "worker-1"),
  );
}

/** A job that was lost so often, and is queued again. */
async function lostJob(harness: SqliteHarness, times: number, fields = {}): Promise<Job> {
  const job = await harness.submit(fields);
  for (let round = 0; round < times; round += 1) {
    const [message] = await receive(harness.queue, { max: 1 });
    if (message?.id !== job.id) throw new Error("another job is in the way");
    await end(harness, message.job, { counts: "lost" });
  }
  return harness.job(job);
}

describe("a claim", () => {
  test(
    "makes the job the worker's, EXECUTING, with an attempt more and its start kept",
    on(async (harness) => {
      const submitted = await harness.submit();
      const { job, receipt } = only(await receive(harness.queue));
      expect(job).toMatchObject({ phase: "EXECUTING", worker: "worker-1", attempts: 1, startedAt: harness.now() });
      expect(harness.job(submitted)).toEqual(job);
      await harness.advance(1000);
      await harness.queue.release(receipt, 0);
      const again = only(await receive(harness.other)).job;
      expect(again).toMatchObject({ worker: "worker-2", attempts: 2, startedAt: job.startedAt });
    }),
  );

  test(
    "of a job that a client gave a time of destruction leaves that as it is",
    on(async (harness) => {
      const kept = await harness.submit({ destruction: harness.now() + 5000 });
      await receive(harness.queue);
      expect(harness.job(kept).destruction).toBe(harness.now() + 5000);
    }),
  );

  test(
    "that its worker's own writes fail is undone",
    on(async ({ queue, submit, job }) => {
      const submitted = await submit();
      const failing = queue.receive(
        () => ({ max: 1, idle: true, without: [] }),
        () => {
          throw new Error("no slot");
        },
      );
      await expect(failing).rejects.toThrow("no slot");
      expect(job(submitted)).toMatchObject({ phase: "QUEUED", attempts: 0, worker: null });
    }),
  );

  test(
    "asks how many as late as it can",
    on(async ({ queue, submit }) => {
      await submit();
      await submit();
      let room = 2;
      const received = queue.receive(
        () => ({ max: room, idle: true, without: [] }),
        (message) => message,
      );
      room = 1;
      expect(await received).toHaveLength(1);
    }),
  );

  test(
    "leaves held and waiting jobs alone",
    on(async ({ queue, submit }) => {
      const first = await submit({ hold: true });
      await submit({ after: [first.id] });
      expect(await receive(queue)).toEqual([]);
    }),
  );
});

describe("a delay", () => {
  test(
    "that the user asked for is kept, then the job is due",
    on(async (harness) => {
      const { id } = await harness.submit({ availableAt: harness.now() + 10_000 });
      expect(await receive(harness.queue)).toEqual([]);
      await harness.advance(9999);
      expect(await receive(harness.queue)).toEqual([]);
      await harness.advance(1);
      expect(ids(await receive(harness.queue))).toEqual([id]);
    }),
  );

  test(
    "that is over does not put a job before others of a higher priority",
    on(async (harness) => {
      await harness.submit({ availableAt: harness.now() + 1000 });
      const urgent = await harness.submit({ priority: 1 });
      await harness.advance(1000);
      expect(ids(await receive(harness.queue, { max: 1 }))).toEqual([urgent.id]);
    }),
  );
});

describe("nextDue", () => {
  test(
    "is the nearest time of what is delayed, by the user or by a retry",
    on(async (harness) => {
      expect(harness.queue.nextDue()).toBeNull();
      await harness.submit({ availableAt: harness.now() + 10_000 });
      expect(harness.queue.nextDue()).toBe(harness.now() + 10_000);
      await harness.submit();
      await harness.queue.release(only(await receive(harness.queue)).receipt, 4000);
      expect(harness.queue.nextDue()).toBe(harness.now() + 4000);
    }),
  );

  test(
    "knows nothing of jobs that are ready, run, or have ended",
    on(async (harness) => {
      await harness.submit();
      await harness.submit();
      const [first, second] = await receive(harness.queue);
      await harness.queue.acknowledge(first?.receipt ?? "");
      await harness.submit();
      expect(second).toBeDefined();
      expect(harness.queue.nextDue()).toBeNull();
    }),
  );
});

describe("a queue is drained", () => {
  test(
    "only when nothing is ready and nothing runs",
    on(async ({ queue, other, submit }) => {
      await submit();
      expect(queue.isDrained()).toBe(false);
      const { receipt } = only(await receive(other));
      expect(queue.isDrained()).toBe(false);
      await other.acknowledge(receipt);
      expect(queue.isDrained()).toBe(true);
    }),
  );

  test(
    "though the user delayed or held a job, or one waits for such a job",
    on(async (harness) => {
      await harness.submit({ availableAt: harness.now() + 60_000 });
      const held = await harness.submit({ hold: true });
      await harness.submit({ after: [held.id] });
      expect(harness.queue.isDrained()).toBe(true);
    }),
  );

  test(
    "not while a retry is waited for",
    on(async (harness) => {
      await harness.submit();
      const { job } = only(await receive(harness.queue));
      await end(harness, job, { verdict: { kind: "release", delayMs: 60_000 }, counts: "failure" });
      expect(harness.queue.isDrained()).toBe(false);
      await harness.advance(60_000);
      await harness.queue.acknowledge(only(await receive(harness.queue)).receipt);
      expect(harness.queue.isDrained()).toBe(true);
    }),
  );

  test(
    "not while a job that the user had delayed waits for its retry",
    on(async (harness) => {
      await harness.submit({ availableAt: harness.now() + 1000 });
      await harness.advance(1000);
      await harness.queue.release(only(await receive(harness.queue)).receipt, 5000);
      expect(harness.queue.isDrained()).toBe(false);
    }),
  );
});

describe("expiry", () => {
  test(
    "ends a job that was not started in time, and gives its turn to the others",
    on(async (harness) => {
      const expiring = await harness.submit({ expiresAt: harness.now() + 1000, priority: 9 });
      const staying = await harness.submit();
      await harness.advance(1000);
      expect(ids(await receive(harness.queue))).toEqual([staying.id]);
      const ended = { phase: "ABORTED", verdict: "acknowledge", endedAt: harness.now() };
      expect(harness.job(expiring)).toMatchObject(ended);
    }),
  );

  test(
    "is told as such, and not as an abort that somebody asked for",
    on(async (harness) => {
      const expiring = await harness.submit({ expiresAt: harness.now() + 1000 });
      await harness.advance(1000);
      await receive(harness.queue);
      const error: unknown = JSON.parse(harness.job(expiring).error ?? "{}");
      expect(error).toMatchObject({ cause: "expired", message: expect.stringMatching(/expir/) });
    }),
  );

  test(
    "does nothing to a job that was started in time, also when it is put back later",
    on(async (harness) => {
      const job = await harness.submit({ expiresAt: harness.now() + 1000 });
      const { receipt } = only(await receive(harness.queue));
      await harness.advance(5000);
      expect(harness.job(job).phase).toBe("EXECUTING");
      await harness.queue.release(receipt, 0);
      expect(ids(await receive(harness.queue))).toEqual([job.id]);
    }),
  );

  test(
    "of a job holds what waits for it",
    on(async (harness) => {
      const expiring = await harness.submit({ expiresAt: harness.now() + 1000 });
      const waiting = await harness.submit({ after: [expiring.id] });
      await harness.advance(1000);
      await receive(harness.queue);
      expect(harness.job(waiting).phase).toBe("HELD");
    }),
  );
});

describe("a dedupe key", () => {
  test(
    "gives the id of the job that has it while that has not been started, in the same batch too",
    on(async ({ at, submit, now }) => {
      const first = await submit({ dedupeKey: "nightly" });
      expect((await submit({ dedupeKey: "nightly" })).id).toBe(first.id);
      const held = await submit({ dedupeKey: "held", hold: true });
      expect((await submit({ dedupeKey: "held" })).id).toBe(held.id);
      const batch = [newJob({ dedupeKey: "batch" }), newJob({ dedupeKey: "batch" }), newJob()];
      const submitted = await at.store.write(() => at.store.submission.submit(batch, now()));
      expect(submitted[0]).toBe(submitted[1] ?? "");
      expect(new Set(submitted).size).toBe(2);
    }),
  );

  test(
    "is free again when its job is started, even if that is put back",
    on(async ({ queue, submit }) => {
      const first = await submit({ dedupeKey: "nightly" });
      const { receipt } = only(await receive(queue));
      const second = await submit({ dedupeKey: "nightly" });
      expect(second.id).not.toBe(first.id);
      await queue.release(receipt, 0);
      expect((await submit({ dedupeKey: "nightly" })).id).toBe(second.id);
    }),
  );

  test(
    "is free again when its job was aborted before its start",
    on(async ({ at, submit, now }) => {
      const first = await submit({ dedupeKey: "nightly" });
      await at.store.write(() => at.store.steering.abort(first.seq, now(), "a test"));
      expect((await submit({ dedupeKey: "nightly" })).id).not.toBe(first.id);
    }),
  );
});

describe("a job that was lost twice", () => {
  test(
    "is given to an idle worker only, and alone",
    on(async (harness) => {
      const suspect = await lostJob(harness, 2);
      await harness.submit();
      await harness.submit({ priority: 9 });
      expect(await receive(harness.queue, { idle: false })).toEqual([]);
      expect(ids(await receive(harness.queue, { idle: true, max: 4 }))).toEqual([suspect.id]);
    }),
  );

  test(
    "is not a suspect after one loss",
    on(async (harness) => {
      const once = await lostJob(harness, 1);
      const other = await harness.submit();
      expect(ids(await receive(harness.queue, { idle: false }))).toEqual([once.id, other.id]);
    }),
  );

  test(
    "does not keep other work waiting before it is due",
    on(async (harness) => {
      const suspect = await lostJob(harness, 1);
      const { job } = only(await receive(harness.queue));
      await end(harness, job, { counts: "lost", verdict: { kind: "release", delayMs: 60_000 } });
      const other = await harness.submit();
      expect(ids(await receive(harness.queue, { idle: false }))).toEqual([other.id]);
      await harness.advance(60_000);
      expect(ids(await receive(harness.queue))).toEqual([suspect.id]);
    }),
  );

  test(
    "is not taken, and keeps nothing else from being taken, while its definition is paused",
    on(async (harness) => {
      await lostJob(harness, 2, { definition: "resize" });
      const other = await harness.submit();
      expect(ids(await receive(harness.queue, { without: ["resize"] }))).toEqual([other.id]);
    }),
  );
});

describe("definitions that a worker does not take", () => {
  test(
    "are left, others and jobs without one are taken in their order",
    on(async ({ queue, other, submit }) => {
      const paused = await submit({ definition: "resize", priority: 9 });
      const plain = await submit();
      const fine = await submit({ definition: "rotate", priority: 1 });
      const twoPaused = { without: ["resize", "scale"] };
      expect(ids(await receive(queue, twoPaused))).toEqual([fine.id, plain.id]);
      expect(await receive(queue, twoPaused)).toEqual([]);
      expect(ids(await receive(other))).toEqual([paused.id]);
    }),
  );

  test(
    "do not use up what was asked for",
    on(async ({ queue, submit }) => {
      for (let index = 0; index < 5; index += 1) await submit({ definition: "resize" });
      const plain = await submit();
      expect(ids(await receive(queue, { max: 1, without: ["resize"] }))).toEqual([plain.id]);
    }),
  );
});

describe("settling by receipt", () => {
  test(
    "records what a job of the store has become",
    on(async (harness) => {
      const jobs = [await harness.submit(), await harness.submit(), await harness.submit()];
      const [done, dead, again] = await receive(harness.queue);
      await harness.queue.acknowledge(done?.receipt ?? "");
      await harness.queue.bury(dead?.receipt ?? "", "the picture is empty");
      await harness.queue.release(again?.receipt ?? "", 2000);
      const [first, second, third] = jobs.map((job) => harness.job(job));
      expect(first).toMatchObject({ phase: "COMPLETED", verdict: "acknowledge", worker: null, receipt: null });
      expect(second).toMatchObject({ phase: "ERROR", verdict: "bury", buriedAt: harness.now() });
      expect(second?.error).toContain("the picture is empty");
      expect(third).toMatchObject({ phase: "QUEUED", availableAt: harness.now() + 2000, failures: 0, lost: 0 });
    }),
  );

  test(
    "does not put back a job whose abort was asked for",
    on(async (harness) => {
      const job = await harness.submit();
      const { receipt } = only(await receive(harness.queue));
      const { store } = harness.at;
      await store.write(() => store.steering.abort(job.seq, harness.now(), "a client"));
      await harness.queue.release(receipt, 0);
      expect(harness.job(job)).toMatchObject({ phase: "ABORTED", verdict: "acknowledge" });
    }),
  );

  test(
    "is refused to a worker that the job does not belong to",
    on(async ({ queue, other, submit, job }) => {
      const submitted = await submit();
      const { receipt } = only(await receive(queue));
      await expect(other.acknowledge(receipt)).rejects.toThrow("lost");
      expect(job(submitted).phase).toBe("EXECUTING");
    }),
  );
});
