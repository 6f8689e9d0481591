import { describe, expect, test } from "bun:test";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { AttemptEnd, Job, Output, Result, Settlement } from "../../src/store/job.ts";
import { bytesOf } from "../../src/store/outputs.ts";
import { receive } from "../contract/queue.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const COMPLETED: Settlement = { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null };
const PUT_BACK: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 0 },
  counts: "failure",
  error: { message: "exit code 1", type: "transient" },
};

const end = (fields: Partial<AttemptEnd> = {}): AttemptEnd => ({
  ending: { kind: "exited", code: 0 },
  cause: null,
  endedAt: 5000,
  pid: 77,
  userMicroseconds: 10,
  systemMicroseconds: 20,
  peakBytes: 30,
  outputs: [],
  results: [],
  progress: null,
  ...fields,
});

const inline = (text: string) => ({ kind: "inline", bytes: new TextEncoder().encode(text) }) as const;
const log = (text: string): Output => ({ stream: "log", content: inline(text) });
const result = (id: string, text: string): Result => ({ id, type: "text/plain", content: inline(text) });
const text = (stored: Parameters<typeof bytesOf>[0]): string => new TextDecoder().decode(bytesOf(stored));

/** Claims the one job there is at a time, and begins its attempt. */
async function begin({ store }: TemporaryStore, at: number): Promise<Job> {
  const { job } = only(await receive(new SqliteQueue(store, "worker", () => at)));
  const { id: messageId } = job;
  await store.write(() =>
    store.attempts.begin({ job, worker: "worker", directory: "/slot", messageId, receiveCount: job.attempts, at }),
  );
  return job;
}

const finish = ({ store }: TemporaryStore, job: Job, fields: Partial<AttemptEnd>, settlement: Settlement) =>
  store.write(() => store.attempts.end(job, end(fields), settlement, "worker"));

describe("an attempt", () => {
  test("is recorded with its start before it has an end", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    expect(only(at.another().attempts.of(job.seq))).toMatchObject({
      number: 1,
      worker: "worker",
      directory: "/slot",
      messageId: job.id,
      startedAt: 1000,
      endedAt: null,
      ending: null,
      verdict: null,
    });
  });

  test("is recorded with all that is known of its end", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    await finish(at, job, { ending: { kind: "signalled", signal: "SIGKILL" }, cause: "timeout" }, PUT_BACK);
    expect(existing(at.store.attempts.one(job.seq, 1))).toMatchObject({
      endedAt: 5000,
      pid: 77,
      ending: "signalled",
      exitCode: null,
      signal: "SIGKILL",
      cause: "timeout",
      userMicroseconds: 10,
      systemMicroseconds: 20,
      peakBytes: 30,
      verdict: "release",
    });
    expect(at.job(job)).toMatchObject({ phase: "QUEUED", failures: 1, endedAt: null, runningMs: 4000, worker: null });
  });

  test("adds its time to those before, and the job keeps the first start", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    await finish(at, await begin(at, 1000), { endedAt: 2500 }, PUT_BACK);
    const second = await begin(at, 10_000);
    await finish(at, second, { endedAt: 10_250 }, COMPLETED);
    expect(at.job(second)).toMatchObject({
      runningMs: 1750,
      startedAt: 1000,
      endedAt: 10_250,
      attempts: 2,
      failures: 1,
    });
  });

  test("that ends before it began, by a clock that was put back, has no negative time", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 9000);
    await finish(at, job, { endedAt: 5000 }, COMPLETED);
    expect(at.job(job).runningMs).toBe(0);
  });

  test("keeps a code of 0 apart from no code", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    await finish(at, job, { ending: { kind: "signalled", signal: null } }, PUT_BACK);
    const again = await begin(at, 6000);
    await finish(at, again, { endedAt: 7000 }, COMPLETED);
    const codes = at.store.attempts.of(job.seq).map(({ exitCode, signal }) => [exitCode, signal]);
    expect(codes).toEqual([
      [null, null],
      [0, null],
    ]);
  });

  test("tells what was really run where a template made it", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    await at.store.write(() => at.store.attempts.resolved(job.seq, 1, ["./resize.sh", "a b"], "/jobs"));
    await at.store.write(() => at.store.attempts.running(job.seq, 1, 4711));
    const attempt = existing(at.store.attempts.one(job.seq, 1));
    expect(attempt).toMatchObject({ command: '["./resize.sh","a b"]', cwd: "/jobs", pid: 4711 });
  });
});

describe("what an attempt leaves", () => {
  test("is its own output, and the results of the last attempt only", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const first = await begin(at, 1000);
    await finish(at, first, { outputs: [log("one")], results: [result("a", "old"), result("b", "old")] }, PUT_BACK);
    const second = await begin(at, 6000);
    await finish(at, second, { endedAt: 7000, outputs: [log("two")], results: [result("a", "new")] }, COMPLETED);
    const outputs = at.store.outputs.outputs(first.seq).map((output) => [output.attempt, output.stream, text(output)]);
    expect(outputs).toEqual([
      [1, "log", "one"],
      [2, "log", "two"],
    ]);
    expect(at.store.outputs.results(first.seq).map((one) => [one.id, text(one), one.size])).toEqual([["a", "new", 3]]);
  });

  test("is read from its file when it is large", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    const path = at.directory.write("large", "much");
    const content = { kind: "file", path, size: 4 } as const;
    await finish(at, job, { outputs: [{ stream: "stdout", content }] }, COMPLETED);
    const stored = only(at.store.outputs.outputs(job.seq));
    expect(stored).toMatchObject({ path, size: 4, content: null });
    expect(text(stored)).toBe("much");
  });

  test("has progress until a later attempt begins, which has come nowhere yet", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const first = await begin(at, 1000);
    await finish(at, first, { progress: { fraction: 0.5, message: "half" } }, PUT_BACK);
    expect(at.job(first)).toMatchObject({ progress: 0.5, progressMessage: "half" });
    const second = await begin(at, 6000);
    expect(at.job(first)).toMatchObject({ progress: null, progressMessage: null });
    await finish(at, second, { endedAt: 7000 }, COMPLETED);
    expect(at.job(first)).toMatchObject({ progress: null, progressMessage: null });
  });

  test("has progress of the last that said something", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    await finish(at, await begin(at, 1000), { progress: { fraction: 0.5, message: "half" } }, PUT_BACK);
    const second = await begin(at, 6000);
    await finish(at, second, { endedAt: 7000, progress: { fraction: 0, message: null } }, COMPLETED);
    expect(at.job(second)).toMatchObject({ progress: 0, progressMessage: null });
  });
});

describe("a job of which nothing can be known", () => {
  test("is UNKNOWN, stays its worker's, and knows since when", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    expect(at.store.attempts.unknownSince(job)).toBeNull();
    await at.store.write(() => at.store.attempts.unknown(job, "its files are held elsewhere", 8000, "another"));
    const unknown = at.job(job);
    expect(unknown).toMatchObject({ phase: "UNKNOWN", worker: "worker", endedAt: null });
    expect(JSON.parse(unknown.error ?? "{}")).toEqual({ message: "its files are held elsewhere", type: "transient" });
    expect(at.store.attempts.unknownSince(unknown)).toBe(8000);
    expect(await receive(new SqliteQueue(at.store, "other", () => 9000))).toEqual([]);
  });

  test("is ended like any other when it is known again", async () => {
    using at = temporaryStore();
    await at.submit(newJob());
    const job = await begin(at, 1000);
    await at.store.write(() => at.store.attempts.unknown(job, "gone", 8000, "another"));
    expect(await finish(at, at.job(job), { ending: { kind: "lost" } }, PUT_BACK)).not.toBeNull();
    expect(at.job(job)).toMatchObject({ phase: "QUEUED", worker: null, receipt: null });
  });
});

describe("the story of a job", () => {
  test("has every decision in its order, with who and why", async () => {
    using at = temporaryStore();
    const submitted = only(await at.submit(newJob({ hold: true })));
    await at.store.write(() => at.store.steering.start(submitted.seq, 500, "ada"));
    await finish(at, await begin(at, 1000), { ending: { kind: "exited", code: 3 } }, PUT_BACK);
    await finish(at, await begin(at, 6000), { endedAt: 7000 }, COMPLETED);
    const story = at.store.decisions.of(submitted.seq);
    expect(story.map(({ at: when, by }) => [when, by])).toEqual([
      [500, "ada"],
      [1000, "worker"],
      [5000, "worker"],
      [6000, "worker"],
      [7000, "worker"],
    ]);
    const words = [/^QUEUED/, /^started/, /^QUEUED/, /^started/, /^COMPLETED/];
    words.forEach((word, index) => expect(story[index]?.what).toMatch(word));
    expect(story[2]?.why).toContain("3");
  });
});
