import { describe, expect, test } from "bun:test";
import type { Arrival, Claimant, Disposition, MakeJob } from "../../src/store/deliveries.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import type { Phase } from "../../src/store/phases.ts";
import { giveUpUnseen } from "../../src/worker/unseen.ts";
import { endOfAttempt } from "../support/attempt-end.ts";
import { existing, newId, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const NOW = 1_700_000_000_000;
const QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/jobs";
const ID = "0123456789abcdef";

const arrival = (fields: Partial<Arrival> = {}): Arrival => ({
  queue: QUEUE,
  messageId: "5fea7756-0ea4-451a-a703-a558b933e274",
  receipt: "receipt-1",
  jobId: ID,
  receiveCount: 1,
  isLast: false,
  ...fields,
});

const makeJob: MakeJob = (id, retryOf) => newJob({ id, retryOf });

/** A message has come; a start is recorded of what is to be run, as a worker does. */
function take(
  { store }: TemporaryStore,
  fields: Partial<Arrival> = {},
  by: Partial<Claimant> = {},
): Promise<Disposition> {
  const one = arrival(fields);
  const claimant = { worker: "worker-1", now: NOW, newId, ...by };
  return store.write(() => {
    const what = store.deliveries.take(one, makeJob, claimant);
    if (what.kind === "run") begin(what.job, one, claimant);
    return what;
  });

  function begin(job: Job, { messageId, receiveCount }: Arrival, { worker, now }: Claimant): void {
    store.attempts.begin({ job, worker, directory: "/", messageId, receiveCount, at: now });
  }
}

function run(what: Disposition): Job {
  if (what.kind === "run") return what.job;
  throw new Error(`it is not run: ${what.kind}`);
}

const SETTLEMENTS = {
  COMPLETED: { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null },
  ERROR: {
    phase: "ERROR",
    verdict: { kind: "bury", reason: "exit code 3" },
    counts: "failure",
    error: { message: "exit code 3", type: "transient" },
  },
  ABORTED: {
    phase: "ABORTED",
    verdict: { kind: "acknowledge" },
    counts: "nothing",
    error: { message: "aborted by ada", type: "fatal" },
  },
  QUEUED: {
    phase: "QUEUED",
    verdict: { kind: "release", delayMs: 5000 },
    counts: "failure",
    error: { message: "exit code 3", type: "transient" },
  },
  UNKNOWN: {
    phase: "UNKNOWN",
    verdict: { kind: "leave" },
    counts: "nothing",
    error: { message: "its lease was lost", type: "transient", cause: "lease lost" },
  },
} as const satisfies Record<string, Settlement>;

const end = ({ store }: TemporaryStore, job: Job, settlement: Settlement, at = NOW + 1000) =>
  store.write(() => store.attempts.end(job, endOfAttempt(3, at), settlement, "worker-1"));

/** A job of a message, after an attempt that came to this. */
async function after(at: TemporaryStore, phase: keyof typeof SETTLEMENTS): Promise<Job> {
  const job = run(await take(at));
  await end(at, job, SETTLEMENTS[phase]);
  return at.job(job);
}

const setPhase = (at: TemporaryStore, { seq }: Job, phase: Phase): Promise<unknown> =>
  at.store.write(() => at.store.database.run("UPDATE jobs SET phase = ? WHERE seq = ?", phase, seq));

const forget = (at: TemporaryStore, { seq }: Job): Promise<boolean> =>
  at.store.write(() => at.store.forgetting.forget(seq, NOW));

const count = (at: TemporaryStore): number =>
  at.store.database.get<{ n: number }>("SELECT count(*) AS n FROM jobs")?.n ?? 0;

describe("a message that is new", () => {
  test("is the job that it names, of its queue, and runs", async () => {
    using at = temporaryStore();
    const job = run(await take(at));
    expect(job).toMatchObject({ phase: "EXECUTING", attempts: 1, worker: "worker-1", queue: QUEUE, retryOf: null });
    expect([job.id, job.messageId]).toEqual([ID, arrival().messageId]);
  });

  test("that names no job is one by its own id", async () => {
    using at = temporaryStore();
    expect(run(await take(at, { jobId: null })).id).toBe(arrival().messageId);
  });

  test.each([
    ["goes up in the tree", "../../../../etc/passwd"],
    ["is a path", "/tmp/abcdefgh"],
    ["is in upper case", "ABCDEFGH12345678"],
    ["is too long", "a".repeat(65)],
    ["is too short", "abc"],
    ["begins like an option", "-rf-abcdefgh"],
    ["has a NUL", "abcdefgh\0"],
    ["has a line's end", "abcdefgh\n"],
    ["is empty", ""],
  ])("whose job's id %s has its own id", async (_, jobId) => {
    using at = temporaryStore();
    expect(run(await take(at, { jobId })).id).toBe(arrival().messageId);
    const fresh = run(await take(at, { jobId, messageId: `${jobId}!` }));
    expect(fresh.id).toMatch(/^[0-9a-f]{32}$/);
    expect(at.store.location.job(fresh.id)).toStartWith(at.directory.path);
  });

  test("that names a job of the store's own queue is another job, and not tried for that one", async () => {
    using at = temporaryStore();
    const own = only(await at.submit(newJob({ id: ID })));
    const job = run(await take(at));
    expect([job.id, job.retryOf]).toEqual([arrival().messageId, null]);
    expect(at.job(own)).toMatchObject({ phase: "QUEUED", attempts: 0, retriedAs: null });
  });

  test("that has the message id of another queue's is a job of its own", async () => {
    using at = temporaryStore();
    const first = await after(at, "COMPLETED");
    const other = run(await take(at, { queue: `${QUEUE}-2`, jobId: null }));
    expect(other.seq).not.toBe(first.seq);
  });
});

/** What the same message comes to when it is delivered again. */
const AGAIN: readonly (readonly [keyof typeof SETTLEMENTS, Disposition["kind"]])[] = [
  ["QUEUED", "run"],
  ["UNKNOWN", "run"],
  ["COMPLETED", "acknowledge"],
  ["ERROR", "bury"],
  ["ABORTED", "acknowledge"],
];

describe("a message that comes again", () => {
  test.each(AGAIN)("when its job is %s: %s", async (phase, kind) => {
    using at = temporaryStore();
    const job = await after(at, phase);
    const what = await take(at, { receipt: "receipt-2", receiveCount: 2 });
    expect(what.kind).toBe(kind);
    expect(count(at)).toBe(1);
    const expected = kind === "run" ? { phase: "EXECUTING", attempts: 2 } : { phase, attempts: 1 };
    expect(at.job(job)).toMatchObject({ ...expected, id: ID });
  });

  test.each(["PENDING", "HELD"] as const)("is kept back while its job is %s", async (phase) => {
    using at = temporaryStore();
    await setPhase(at, await after(at, "QUEUED"), phase);
    expect(await take(at)).toMatchObject({ kind: "keep back", why: expect.stringContaining(phase) });
  });

  test("is kept back while what is left of its last run may still be running", async () => {
    using at = temporaryStore();
    const job = run(await take(at));
    await at.store.write(() => at.store.attempts.unknown(job, "another pid namespace", NOW, "worker-2"));
    expect((await take(at)).kind).toBe("keep back");
  });

  test.each(["EXECUTING", "SUSPENDED"] as const)(
    "while it is run (%s) gives its newest receipt to who runs it",
    async (phase) => {
      using at = temporaryStore();
      const job = run(await take(at));
      await setPhase(at, job, phase);
      for (const [receipt, receiveCount, isLast] of [
        ["receipt-2", 2, false],
        ["receipt-3", 3, true],
      ] as const) {
        expect(await take(at, { receipt, receiveCount, isLast }, { worker: "worker-2" })).toEqual({
          kind: "running",
          id: ID,
        });
      }
      const { newerReceipts } = at.store.deliveries;
      const newest = { receipt: "receipt-3", receiveCount: 3, isLast: true };
      expect(newerReceipts.of("worker-1")).toEqual(new Map([[job.seq, newest]]));
      expect(newerReceipts.of("worker-2").size).toBe(0);
      await at.store.write(() => newerReceipts.handedOver(job.seq));
      expect(newerReceipts.of("worker-1").size).toBe(0);
      expect(at.job(job)).toMatchObject({ phase, attempts: 1, worker: "worker-1" });
    },
  );

  test("twice in one batch is run once", async () => {
    using at = temporaryStore();
    const { store } = at;
    const kinds = await store.write(() =>
      ["receipt-1", "receipt-2", "receipt-3"].map((receipt) => {
        return store.deliveries.take(arrival({ receipt }), makeJob, { worker: "worker-1", now: NOW, newId }).kind;
      }),
    );
    expect(kinds).toEqual(["run", "running", "running"]);
    expect([...store.deliveries.newerReceipts.of("worker-1").values()].map(({ receipt }) => receipt)).toEqual([
      "receipt-3",
    ]);
  });

  test("does not give a later run the receipt that an earlier one never took", async () => {
    using at = temporaryStore();
    const job = run(await take(at));
    await take(at, { receipt: "receipt-2" });
    await end(at, job, SETTLEMENTS.QUEUED);
    run(await take(at, { receipt: "receipt-3" }));
    expect(at.store.deliveries.newerReceipts.of("worker-1").size).toBe(0);
  });

  test("says that its copy is among the dead letters, where it is", async () => {
    using at = temporaryStore();
    const job = await after(at, "ERROR");
    expect(await take(at)).toEqual({ kind: "bury", id: ID, reason: "exit code 3", isCopied: false });
    await at.store.write(() => at.store.deliveries.copied(job.seq));
    expect(await take(at)).toMatchObject({ isCopied: true });
    await forget(at, job);
    expect(await take(at)).toMatchObject({ kind: "bury", isCopied: true });
  });

  test("after an end of which no queue was to be told is a new job that names the old", async () => {
    using at = temporaryStore();
    const job = await after(at, "UNKNOWN");
    await at.store.write(() => at.store.unseen.giveUp(job.seq, NOW, "worker-1"));
    const next = run(await take(at));
    expect(next.retryOf).toBe(ID);
    expect(at.job(job)).toMatchObject({ phase: "ERROR", retriedAs: next.id });
  });
});

describe("a message whose job was forgotten", () => {
  test.each([
    ["COMPLETED", "acknowledge"],
    ["ERROR", "bury"],
    ["ABORTED", "acknowledge"],
  ] as const)("when it was %s: %s, without a run", async (phase, kind) => {
    using at = temporaryStore();
    expect(await forget(at, await after(at, phase))).toBe(true);
    expect(await take(at)).toMatchObject({ kind, id: ID });
    expect(count(at)).toBe(0);
  });

  test("before it was decided begins anew, as another job", async () => {
    using at = temporaryStore();
    await forget(at, await after(at, "QUEUED"));
    const job = run(await take(at));
    expect([job.id, job.retryOf]).toEqual([arrival().messageId, ID]);
  });
});

describe("the same job under a new message id: a redrive", () => {
  const redriven = { messageId: "d1c0c4a2-7d2c-4e2f-8a4b-0c1d2e3f4a5b", receipt: "receipt-9" };

  test.each(["COMPLETED", "ERROR", "ABORTED"] as const)(
    "of one that was %s is a new job that names it",
    async (phase) => {
      using at = temporaryStore();
      const old = await after(at, phase);
      const job = run(await take(at, redriven));
      expect(job).toMatchObject({ id: redriven.messageId, retryOf: ID, attempts: 1, failures: 0 });
      expect(at.job(old)).toMatchObject({ phase, retriedAs: job.id });
    },
  );

  test("of one that was forgotten is a new job that names it", async () => {
    using at = temporaryStore();
    await forget(at, await after(at, "ERROR"));
    expect(run(await take(at, redriven))).toMatchObject({ id: redriven.messageId, retryOf: ID });
  });

  test("is the same job when it comes again itself", async () => {
    using at = temporaryStore();
    await after(at, "ERROR");
    const job = run(await take(at, redriven));
    await end(at, job, SETTLEMENTS.QUEUED);
    expect(run(await take(at, redriven)).seq).toBe(job.seq);
    await end(at, at.job(job), SETTLEMENTS.COMPLETED);
    expect(await take(at, redriven)).toMatchObject({ kind: "acknowledge", id: job.id });
    expect(await take(at)).toMatchObject({ kind: "bury", id: ID });
  });
});

describe("a job whose lease was lost", () => {
  const HOUR_MS = 3_600_000;

  function giveUp(at: TemporaryStore, now: number) {
    const told: unknown[] = [];
    const clock = { now: () => now };
    const ports = { store: at.store, clock, emit: (event: unknown) => told.push(event) };
    return giveUpUnseen({ ports, worker: "worker-2", unknownAfterMs: HOUR_MS }).then(() => told);
  }

  test("is given up when it was not seen for long enough, with a warning, and what waits for it is held", async () => {
    using at = temporaryStore();
    const job = await after(at, "UNKNOWN");
    const dependent = only(await at.submit(newJob({ after: [ID] })));
    expect(await giveUp(at, NOW + 1000 + HOUR_MS - 1)).toEqual([]);
    expect(at.job(job).phase).toBe("UNKNOWN");
    expect(await giveUp(at, NOW + 1000 + HOUR_MS)).toEqual([{ type: "warning", what: expect.stringContaining(ID) }]);
    expect(at.job(job)).toMatchObject({ phase: "ERROR", verdict: "leave", endedAt: NOW + 1000 + HOUR_MS });
    expect(JSON.parse(existing(at.job(job).error))).toMatchObject({ type: "transient", cause: "lease lost" });
    expect(at.job(dependent).phase).toBe("HELD");
    expect(await giveUp(at, NOW + 9 * HOUR_MS)).toEqual([]);
  });

  test("is not given up when it has come again", async () => {
    using at = temporaryStore();
    const job = await after(at, "UNKNOWN");
    run(await take(at));
    expect(await giveUp(at, NOW + 9 * HOUR_MS)).toEqual([]);
    expect(at.job(job).phase).toBe("EXECUTING");
  });

  test("is not given up as one whose tree nobody can see", async () => {
    using at = temporaryStore();
    const job = run(await take(at));
    await at.store.write(() => at.store.attempts.unknown(job, "another pid namespace", NOW, "worker-2"));
    expect(await giveUp(at, NOW + 9 * HOUR_MS)).toEqual([]);
    expect(at.job(job).phase).toBe("UNKNOWN");
  });
});
