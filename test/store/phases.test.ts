import { endOfAttempt } from "../support/attempt-end.ts";
import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import { isFinal, isHeldByWorker, isPhase, PHASES, phasesBefore, type Phase } from "../../src/store/phases.ts";
import { receive } from "../contract/queue.ts";
import { newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

/** UWS 1.1 as this service keeps it: who may become what. */
const ALLOWED: readonly (readonly [from: readonly Phase[], to: Phase])[] = [
  [["PENDING", "HELD"], "QUEUED"],
  [["PENDING", "QUEUED", "HELD", "EXECUTING", "SUSPENDED"], "ABORTED"],
  [["PENDING", "QUEUED", "HELD", "EXECUTING", "SUSPENDED"], "ERROR"],
  [["PENDING", "QUEUED"], "HELD"],
  [["QUEUED"], "EXECUTING"],
  [["EXECUTING", "SUSPENDED"], "COMPLETED"],
  [["EXECUTING", "SUSPENDED"], "QUEUED"],
  [["EXECUTING"], "SUSPENDED"],
  [["SUSPENDED"], "EXECUTING"],
  [["EXECUTING", "SUSPENDED"], "UNKNOWN"],
  ...PHASES.filter((phase) => phase !== "UNKNOWN" && phase !== "ARCHIVED").map((to) => [["UNKNOWN"], to] as const),
  [["COMPLETED", "ABORTED", "ERROR"], "ARCHIVED"],
];

const isAllowed = (from: Phase, to: Phase): boolean =>
  ALLOWED.some(([before, after]) => after === to && before.includes(from));

const EVERY_PAIR = PHASES.flatMap((from) => PHASES.map((to) => [from, to] as const));

const FINAL: ReadonlySet<Phase> = new Set(["COMPLETED", "ERROR", "ABORTED", "ARCHIVED"]);
const OF_A_WORKER: ReadonlySet<Phase> = new Set(["EXECUTING", "SUSPENDED", "UNKNOWN"]);

/** A job that is in `phase`, with what goes with it, however it came there. */
async function jobIn(phase: Phase, { store, submit, job }: TemporaryStore): Promise<Job> {
  const submitted = only(await submit(newJob()));
  const worker = OF_A_WORKER.has(phase) ? "worker" : null;
  await store.write(() =>
    store.database.run(
      `UPDATE jobs SET phase = ?, worker = ?, receipt = 'receipt', attempts = 1, started_at = 1000,
        ended_at = ? WHERE seq = ?`,
      phase,
      worker,
      FINAL.has(phase) ? 2000 : null,
      submitted.seq,
    ),
  );
  return job(submitted);
}

const END = endOfAttempt(0, 3000);

const SETTLEMENTS: readonly Settlement[] = [
  { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null },
  { phase: "QUEUED", verdict: { kind: "release", delayMs: 0 }, counts: "failure", error: null },
  { phase: "ERROR", verdict: { kind: "bury", reason: "no" }, counts: "failure", error: null },
  { phase: "ABORTED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null },
  { phase: "UNKNOWN", verdict: { kind: "leave" }, counts: "nothing", error: null },
];

describe("the transition table", () => {
  test.each(EVERY_PAIR)("%s to %s is as UWS says", (from, to) => {
    expect(phasesBefore(to).includes(from)).toBe(isAllowed(from, to));
  });

  test("knows what is final, what a worker has, and what is no phase", () => {
    expect(PHASES.filter(isFinal)).toEqual(["COMPLETED", "ERROR", "ABORTED", "ARCHIVED"]);
    expect(PHASES.filter(isHeldByWorker)).toEqual(["EXECUTING", "UNKNOWN", "SUSPENDED"]);
    expect(PHASES.every(isPhase)).toBe(true);
    expect(["", "queued", "RUN", "toString"].some(isPhase)).toBe(false);
  });
});

describe.each(PHASES)("a job that is %s", (phase) => {
  test.each(SETTLEMENTS.map((settlement) => [settlement.phase, settlement] as const))(
    "becomes %s by the end of an attempt only if a worker has it",
    async (to, settlement) => {
      using at = temporaryStore();
      const before = await jobIn(phase, at);
      const recorded = await at.store.write(() => at.store.attempts.end(before, END, settlement, "worker"));
      expect(recorded !== null).toBe(OF_A_WORKER.has(phase));
      if (recorded) expect(at.job(before).phase).toBe(to);
      else expect(at.job(before)).toEqual(before);
    },
  );

  test("becomes EXECUTING by a claim only from QUEUED", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    const claimed = await receive(new SqliteQueue(at.store, "worker", () => 5000));
    expect(claimed).toHaveLength(phase === "QUEUED" ? 1 : 0);
    if (phase !== "QUEUED") expect(at.job(before)).toEqual(before);
  });

  test("becomes QUEUED by RUN from PENDING and HELD; ended, it refuses; else nothing happens", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    const started = at.store.write(() => at.store.steering.start(before.seq, 5000, "a client"));
    if (FINAL.has(phase)) {
      await expect(started).rejects.toThrow(`is ${phase} and cannot be started`);
      expect(at.job(before)).toEqual(before);
    } else {
      await started;
      const expected: Phase = phase === "PENDING" || phase === "HELD" ? "QUEUED" : phase;
      expect(at.job(before)).toEqual({ ...before, phase: expected });
    }
  });

  test("becomes ABORTED by ABORT unless a worker has it, which is asked then; ended, it stays as it is", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    const after = await at.store.write(() => at.store.steering.abort(before.seq, 5000, "a client"));
    expect(after).toEqual(at.job(before));
    if (FINAL.has(phase)) expect(after).toEqual(before);
    else if (OF_A_WORKER.has(phase)) expect(after).toEqual({ ...before, abortBy: "a client" });
    else expect(after).toMatchObject({ phase: "ABORTED", endedAt: 5000, verdict: "acknowledge" });
  });

  test("becomes HELD by hand unless a worker has it or it has ended, which is refused", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    const held = at.store.write(() => at.store.steering.hold(before.seq, 5000, "a client"));
    if (FINAL.has(phase) || OF_A_WORKER.has(phase)) {
      await expect(held).rejects.toThrow(`is ${phase}, and only a job that waits can be held`);
      expect(at.job(before)).toEqual(before);
    } else expect(await held).toMatchObject({ phase: "HELD", heldBy: "a client" });
  });

  test("is asked to stand still only while it runs, and to go on only if it was", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    const lifted = at.store.write(() => at.store.suspension.lift(before.seq, 5000, "a client"));
    if (phase === "SUSPENDED") expect(await lifted).toEqual(before);
    else await expect(lifted).rejects.toThrow(`is ${phase}, not suspended`);
    const asked = at.store.write(() => at.store.suspension.ask(before.seq, 6000, "a client"));
    if (phase === "EXECUTING" || phase === "SUSPENDED") {
      expect(await asked).toEqual({ ...before, suspendBy: "a client" });
    } else {
      await expect(asked).rejects.toThrow(`is ${phase}, and only a job that runs can be suspended`);
      expect(at.job(before)).toEqual(before);
    }
  });

  test("becomes SUSPENDED only from EXECUTING, and EXECUTING again only from SUSPENDED", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    await at.store.write(() => at.store.suspension.begun(before, 5000, "worker"));
    expect(at.job(before)).toEqual(phase === "EXECUTING" ? { ...before, phase: "SUSPENDED" } : before);
    const meant = { ...before, receipt: "another" };
    await at.store.write(() => at.store.suspension.ended(meant, 6000, "worker"));
    expect(at.job(before).phase).toBe(phase === "EXECUTING" ? "SUSPENDED" : phase);
    await at.store.write(() => at.store.suspension.ended(before, 6000, "worker"));
    expect(at.job(before).phase).toBe(phase === "SUSPENDED" ? "EXECUTING" : phase);
  });

  test("becomes UNKNOWN only while a worker runs it", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    await at.store.write(() => at.store.attempts.unknown(before, "its namespace is gone", 5000, "worker"));
    const runs = phase === "EXECUTING" || phase === "SUSPENDED";
    expect(at.job(before).phase).toBe(runs ? "UNKNOWN" : phase);
    if (!runs) expect(at.job(before)).toEqual(before);
  });

  test("is forgotten only if no worker has it", async () => {
    using at = temporaryStore();
    const before = await jobIn(phase, at);
    const forgotten = await at.store.write(() => at.store.forgetting.forget(before.seq, 5000));
    expect(forgotten).toBe(!OF_A_WORKER.has(phase));
    expect(at.store.jobs.bySeq(before.seq) === undefined).toBe(forgotten);
  });
});
