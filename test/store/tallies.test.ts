import { describe, expect, test } from "bun:test";
import type { NewJob } from "../../src/store/submission.ts";
import type { Settlement } from "../../src/store/job.ts";
import { PHASES, type Phase } from "../../src/store/phases.ts";
import { DURATION_LIMITS_MS } from "../../src/store/tallies.ts";
import { MIGRATIONS } from "../../src/store/migrations.ts";
import { StoreDatabase, migrate } from "../../src/store/database.ts";
import { runtime } from "../../src/runtime/index.ts";
import { endOfAttempt } from "../support/attempt-end.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const COMPLETED: Settlement = { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null };

const ofDefinition = (fields: Partial<NewJob> = {}): NewJob =>
  newJob({ definition: "resize", context: { kind: "definition" }, command: null, ...fields });

/** What a walk through all jobs says. */
function walked({ store }: TemporaryStore): Record<string, number> {
  const rows = store.database.all<{ definition: string; phase: Phase; jobs: number }>(
    "SELECT coalesce(definition, '') AS definition, phase, count(*) AS jobs FROM jobs GROUP BY 1, 2",
  );
  return Object.fromEntries(rows.map(({ definition, phase, jobs }) => [`${definition} ${phase}`, jobs]));
}

function counted({ store }: TemporaryStore): Record<string, number> {
  const rows = store.tallies.jobs().filter(({ jobs }) => jobs !== 0);
  return Object.fromEntries(rows.map(({ definition, phase, jobs }) => [`${definition} ${phase}`, jobs]));
}

/** Makes a job that ran for so long. */
async function ran(at: TemporaryStore, milliseconds: number, fields: Partial<NewJob> = {}, settled = COMPLETED) {
  const { store } = at;
  await store.write(() => {
    const job = store.submission.begin(ofDefinition(fields), "worker", 1000);
    store.attempts.begin({ job, worker: "worker", directory: "/", messageId: "m", receiveCount: 1, at: 1000 });
    existing(store.attempts.end(job, endOfAttempt(0, 1000 + milliseconds), settled, "worker"));
  });
}

describe("the jobs that are counted", () => {
  test("are those that a walk finds, whatever becomes of them", async () => {
    using at = temporaryStore();
    const { store } = at;
    const jobs = await at.submit(newJob(), newJob({ hold: true }), ofDefinition(), ofDefinition({ hold: true }));
    const [first, , third] = jobs;
    expect(counted(at)).toEqual(walked(at));
    await store.write(() => store.steering.abort(existing(first).seq, 5, "test"));
    await ran(at, 10);
    await ran(at, 10, {}, { ...COMPLETED, phase: "QUEUED", verdict: { kind: "release", delayMs: 0 } });
    expect(counted(at)).toEqual(walked(at));
    expect(counted(at)).toEqual({
      " ABORTED": 1,
      " PENDING": 1,
      "resize COMPLETED": 1,
      "resize PENDING": 1,
      "resize QUEUED": 2,
    });
    await store.write(() => jobs.forEach(({ seq }) => store.forgetting.forget(seq, 10)));
    expect(existing(third).phase).toBe("QUEUED");
    expect(counted(at)).toEqual({ "resize COMPLETED": 1, "resize QUEUED": 1 });
    expect(counted(at)).toEqual(walked(at));
    expect(store.tallies.inPhase("QUEUED")).toBe(1);
  });

  test("are told of each owner, and of all together", async () => {
    using at = temporaryStore();
    const { store } = at;
    const [first] = await at.submit(
      newJob({ owner: "ada" }),
      newJob({ owner: "ben" }),
      newJob(),
      ofDefinition({ owner: "ada" }),
    );
    await store.write(() => store.steering.abort(existing(first).seq, 5, "test"));
    const of = (owner: string | null) => store.tallies.jobs(owner).filter(({ jobs }) => jobs > 0);
    expect(of("ada")).toEqual([
      { definition: "", phase: "ABORTED", jobs: 1 },
      { definition: "resize", phase: "QUEUED", jobs: 1 },
    ]);
    expect(of("cleo")).toEqual([]);
    expect(of(null)).toContainEqual({ definition: "", phase: "QUEUED", jobs: 2 });
    await store.write(() => store.forgetting.forget(existing(first).seq, 10));
    expect(of("ada")).toEqual([{ definition: "resize", phase: "QUEUED", jobs: 1 }]);
  });

  test("include those of a store that was there before they were counted, and what an earlier version does to them", () => {
    const database = new StoreDatabase(runtime.openDatabase(":memory:", { create: true }), "normal");
    migrate(database, ":memory:", MIGRATIONS.slice(0, 3));
    const insert = "INSERT INTO jobs(id, phase, definition, created_at) VALUES(?, ?, ?, 1)";
    PHASES.forEach((phase, index) => database.run(insert, `id-${index}`, phase, index % 2 === 0 ? null : "a"));
    migrate(database, ":memory:");
    const count = (phase: Phase): unknown =>
      database.all("SELECT definition, jobs FROM job_counts WHERE phase = ? AND jobs > 0", phase);
    expect(count("PENDING")).toEqual([{ definition: "", jobs: 1 }]);
    expect(count("QUEUED")).toEqual([{ definition: "a", jobs: 1 }]);
    expect(database.run("UPDATE jobs SET phase = 'QUEUED' WHERE phase = 'PENDING'")).toBe(1);
    expect(count("PENDING")).toEqual([]);
    expect(count("QUEUED")).toEqual([
      { definition: "", jobs: 1 },
      { definition: "a", jobs: 1 },
    ]);
    database.close();
  });
});

describe("attempts that have ended", () => {
  test("are counted by what ended them and how long they ran, each limit with what reaches it", async () => {
    using at = temporaryStore();
    for (const limit of DURATION_LIMITS_MS) for (const more of [0, 1]) await ran(at, limit + more);
    const found = new Map(at.store.tallies.durations().map((one) => [one.limitMs, one]));
    expect([...found.keys()].toSorted((a, b) => a - b)).toEqual([-1, ...DURATION_LIMITS_MS]);
    // Only the first limit has nothing that was just above the one before it.
    expect(existing(found.get(100))).toEqual({ definition: "resize", limitMs: 100, attempts: 1, ms: 100 });
    expect(existing(found.get(500))).toEqual({ definition: "resize", limitMs: 500, attempts: 2, ms: 601 });
    expect(existing(found.get(-1)).attempts).toBe(1);
    const all = { definition: "resize", ending: "exited", cause: "", phase: "COMPLETED" } as const;
    expect(at.store.tallies.attempts()).toEqual([{ ...all, attempts: 2 * DURATION_LIMITS_MS.length }]);
  });

  test("are counted once, however often somebody ends them", async () => {
    using at = temporaryStore();
    const { store } = at;
    const job = await store.write(() => {
      const begun = store.submission.begin(ofDefinition(), "worker", 1000);
      store.attempts.begin({ job: begun, worker: "worker", directory: "/", messageId: "m", receiveCount: 1, at: 1000 });
      return begun;
    });
    for (const endedAt of [2000, 3000]) {
      await store.write(() => store.attempts.end(job, endOfAttempt(0, endedAt), COMPLETED, "worker"));
    }
    expect(only(store.tallies.durations())).toMatchObject({ attempts: 1, ms: 1000 });
  });
});

describe("how long a definition's jobs take", () => {
  test("is not known before one has completed, and follows the last of them", async () => {
    using at = temporaryStore();
    const pace = (): number | null => at.store.tallies.pace("resize");
    await ran(at, 10, {}, { ...COMPLETED, phase: "ERROR", verdict: { kind: "bury", reason: "failed" } });
    expect(pace()).toBeNull();
    await ran(at, 1000);
    await ran(at, 3000);
    expect(pace()).toBe(2000);
    for (let count = 0; count < 100; count += 1) await ran(at, 60_000);
    expect(pace()).toBeGreaterThan(55_000);
    await ran(at, 5, { definition: null });
    expect(at.store.tallies.pace("")).toBeNull();
  });
});

describe("the queue", () => {
  test("gives the age of the oldest job that could be run, whatever its priority, and of nothing else", async () => {
    using at = temporaryStore();
    const { store } = at;
    const made = (now: number, fields: Partial<NewJob>): Promise<string[]> =>
      store.write(() => store.submission.submit([newJob(fields)], now));
    expect(store.tallies.oldestReady()).toBeNull();
    await made(1, { availableAt: 1e15 });
    await made(2, { hold: true });
    expect(store.tallies.oldestReady()).toBeNull();
    await made(30, { priority: 5 });
    expect(store.tallies.oldestReady()).toBe(30);
    await made(20, { priority: -5 });
    await made(40, { priority: 9 });
    expect(store.tallies.oldestReady()).toBe(20);
  });

  test("says how many jobs come first", async () => {
    using at = temporaryStore();
    const jobs = await at.submit(newJob(), newJob({ priority: 3 }), newJob(), newJob({ priority: -1 }));
    await at.submit(newJob({ availableAt: 1e15 }), newJob({ hold: true }));
    expect(jobs.map((job) => at.store.tallies.ahead(job))).toEqual([1, 0, 2, 3]);
  });
});
