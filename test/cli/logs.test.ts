import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_LIMITS } from "../../src/config/definition.ts";
import { eventually } from "../support/eventually.ts";
import { desk, inline } from "./desk.ts";

const log = (text: string) => ({ stream: "log", content: inline(text) }) as const;
const AGAIN = { phase: "QUEUED", verdict: { kind: "release", delayMs: 0 } } as const;

test("output is printed byte by byte, of the last attempt or any", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const first = await worker.begin();
  await worker.end(first, { outputs: [log("one\n")] }, AGAIN);
  const second = await worker.begin();
  const path = work.at.store.location.job(first.id);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "log.2"), "two\nthree\nfour");
  await worker.end(second, {
    outputs: [{ stream: "log", content: { kind: "file", path: join(path, "log.2"), size: 14 } }],
  });
  const logs = async (...args: string[]): Promise<string> => (await work.reeve("logs", first.id, ...args)).stdout;
  expect(await logs()).toBe("two\nthree\nfour");
  expect(await logs("--tail", "2")).toBe("three\nfour");
  expect(await logs("--attempt", "1")).toBe("one\n");
  expect(await logs("--all")).toBe("one\ntwo\nthree\nfour");
  expect(await logs("-f")).toBe("two\nthree\nfour");
  expect(await work.reeve("logs", first.id, "--attempt", "3")).toMatchObject({ code: 3 });
  expect(await work.reeve("logs", first.id, "--stream", "stdout")).toMatchObject({ code: 2 });
});

test("streams that are kept apart come out apart", async () => {
  using work = desk();
  const limits = { ...DEFAULT_LIMITS, output: "separate" } as const;
  const context = { kind: "command", cwd: "/", environment: {}, secrets: [], limits } as const;
  const outputs = [
    { stream: "stdout", content: inline("out") },
    { stream: "stderr", content: inline("err") },
  ] as const;
  const { id } = await work.ended({ outputs }, {}, { context });
  expect(await work.reeve("logs", id)).toMatchObject({ stdout: "out", stderr: "err" });
  expect(await work.reeve("logs", id, "--stream", "stderr")).toMatchObject({ stdout: "err", stderr: "" });
});

test("following goes on from attempt to attempt, until the job has ended", async () => {
  using work = desk();
  const worker = await work.worker();
  const { id } = await work.submit();
  const reader = work.start(["logs", "-f", id]);
  const first = await worker.begin();
  worker.write(first, "a1\n");
  await eventually("the first line is there", () => reader.stdout() === "a1\n");
  worker.write(first, "a2\n");
  await eventually("the second line is there", () => reader.stdout() === "a1\na2\n");
  await worker.end(first, { outputs: [log("a1\na2\na3\n")] }, AGAIN);
  await eventually("the rest is there", () => reader.stdout() === "a1\na2\na3\n");
  const second = await worker.begin();
  worker.write(second, "b1\n");
  await eventually("the next attempt is there", () => reader.stdout().endsWith("b1\n"));
  await worker.end(second, { outputs: [log("b1\nb2\n")] });
  const stderr = `reeve: job ${id} goes on with attempt 2\n`;
  expect(await reader.ended).toEqual({ code: 0, stdout: "a1\na2\na3\nb1\nb2\n", stderr });
});

test("the bytes of the job that had the files before, or has them next, are never shown", async () => {
  using work = desk();
  const worker = await work.worker();
  const { id } = await work.submit();
  await work.submit();
  const first = await worker.begin();
  worker.write(first, "mine\n");
  const reader = work.start(["logs", "-f", id]);
  await eventually("the first line is there", () => reader.stdout() === "mine\n");
  await worker.end(first, { outputs: [log("mine\n")] }, { ...AGAIN, verdict: { kind: "release", delayMs: 3_600_000 } });
  const other = await worker.begin();
  worker.write(other, "SECRET OF ANOTHER\n".repeat(10));
  expect((await work.reeve("logs", id)).stdout).toBe("mine\n");
  await work.at.store.write(() => work.at.store.steering.abort(first.seq, Date.now(), "me"));
  expect(await reader.ended).toMatchObject({ code: 0, stdout: "mine\n" });
});

test("files that are not made ready yet are not read", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const job = await worker.begin();
  worker.write(job, "of the job before\n");
  writeFileSync(join(worker.directory, "slot-1", "identity"), "another 1 0 0\n");
  expect(await work.reeve("logs", job.id)).toMatchObject({ code: 0, stdout: "" });
});

test("a link or a pipe in the place of a running job's output is neither followed nor waited for", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const job = await worker.begin();
  const output = join(worker.directory, "slot-1", "output");
  rmSync(output);
  symlinkSync(work.at.directory.write("secret", "not the job's\n"), output);
  expect(await work.reeve("logs", job.id)).toMatchObject({ code: 0, stdout: "" });
  rmSync(output);
  spawnSync("mkfifo", [output]);
  expect(await work.reeve("logs", job.id)).toMatchObject({ code: 0, stdout: "" });
});

test("a job that has not begun has written nothing", async () => {
  using work = desk();
  const { id } = await work.submit();
  const done = await work.reeve("logs", id);
  expect(done).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("is QUEUED") });
});
