import { expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inlineBody } from "../../src/config/message-body.ts";
import { eventually } from "../support/eventually.ts";
import { desk, failure, type Desk } from "./desk.ts";

const phaseOf = ({ at: { store } }: Desk, { id }: { id: string }): string | undefined => store.jobs.byId(id)?.phase;

test("start queues what is held; of several ids each failing one is told", async () => {
  using work = desk();
  const held = await work.submit({ hold: true });
  const ended = await work.ended();
  const done = await work.reeve("start", "nobody", ended.id, held.id);
  expect(done).toMatchObject({ code: 3, stdout: `${held.id}\n` });
  expect(done.stderr).toContain("no job nobody");
  expect(done.stderr).toContain(`job ${ended.id} is COMPLETED and cannot be started`);
  expect(phaseOf(work, held)).toBe("QUEUED");
});

test("abort ends what waits at once, and waits for what runs", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const running = await worker.begin();
  const queued = await work.submit();
  expect(await work.reeve("abort", queued.id)).toMatchObject({ code: 0, stdout: `${queued.id}\n` });
  expect(phaseOf(work, queued)).toBe("ABORTED");
  expect(await work.reeve("abort", queued.id)).toMatchObject({ code: 0, stderr: expect.stringContaining("already") });
  const asked = work.start(["abort", running.id]);
  await eventually("the abort is asked", () => work.at.job(running).abortBy !== null);
  expect(phaseOf(work, running)).toBe("EXECUTING");
  await worker.end(running, { ending: { kind: "signalled", signal: "SIGTERM" }, cause: "abort" }, { phase: "ABORTED" });
  expect(await asked.ended).toMatchObject({ code: 0, stdout: `${running.id}\n` });
});

test("an abort of a job whose worker is gone says so, and stands", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const job = await worker.begin();
  worker.die();
  const done = await work.reeve("abort", job.id);
  expect(done).toMatchObject({ code: 69, stderr: expect.stringContaining("its worker is gone") });
  expect(work.at.job(job)).toMatchObject({ phase: "EXECUTING", abortBy: expect.any(String) });
  expect(await work.reeve("abort", "--no-wait", job.id)).toMatchObject({ code: 0 });
});

test("hold keeps what waits from being started, and refuses the rest", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const running = await worker.begin();
  const queued = await work.submit();
  const done = await work.reeve("hold", running.id, queued.id);
  expect(done).toMatchObject({ code: 2, stdout: `${queued.id}\n` });
  expect(done.stderr).toContain("is EXECUTING, and only a job that waits can be held");
  expect(done.stderr).toContain(`reeve suspend ${running.id}`);
  expect(work.at.job(queued)).toMatchObject({ phase: "HELD", heldBy: expect.any(String) });
  const why = await work.reeve("why", queued.id);
  expect(why.stdout).toMatch(/\S+ holds it until it is started by hand\.\n  reeve start /);
  expect(await work.reeve("start", queued.id)).toMatchObject({ code: 0 });
  expect(work.at.job(queued)).toMatchObject({ phase: "QUEUED", heldBy: null });
});

test("suspend and resume ask the worker, and wait until it has been done", async () => {
  using work = desk();
  const { store } = work.at;
  const worker = await work.worker();
  await work.submit();
  const job = await worker.begin();
  const suspending = work.start(["suspend", job.id]);
  await eventually("the suspension is asked", () => work.at.job(job).suspendBy !== null);
  expect((await work.reeve("why", job.id)).stdout).toContain("wants it to stand still.");
  expect(suspending.stdout()).toBe("");
  await store.write(() => store.suspension.begun(job, Date.now(), "worker-1"));
  expect(await suspending.ended).toMatchObject({ code: 0, stdout: `${job.id}\n`, stderr: "" });
  expect(await work.reeve("suspend", job.id)).toMatchObject({ code: 0, stdout: `${job.id}\n` });
  const why = (await work.reeve("why", job.id)).stdout;
  expect(why).toMatch(/Attempt 1 stands still on worker worker-1 since .* \S+ wants it so\.\n  reeve resume /);
  expect((await work.reeve("show", job.id)).stdout).toMatch(/phase +SUSPENDED[\s\S]*suspended by +\S/);
  expect(await work.documents("--phase", "SUSPENDED")).toMatchObject([{ jobInfo: { attempts: [{ suspendedSince: expect.any(String) }] } }]); // prettier-ignore
  const waiting = work.start(["wait", job.id]);
  await eventually("it says that the job is suspended", () => waiting.stderr().includes(`reeve resume ${job.id}`));
  const resuming = work.start(["resume", job.id]);
  await eventually("the resumption is asked", () => work.at.job(job).suspendBy === null);
  expect(resuming.stdout()).toBe("");
  await store.write(() => store.suspension.ended(job, Date.now(), "worker-1"));
  expect(await resuming.ended).toMatchObject({ code: 0, stdout: `${job.id}\n` });
  await worker.end(job);
  expect(await waiting.ended).toMatchObject({ code: 0 });
});

test("suspend and resume refuse what does not run, and tell of what ends meanwhile or has no worker", async () => {
  using work = desk();
  const queued = await work.submit({ priority: -1 });
  const refused = await work.reeve("suspend", queued.id);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`reeve hold ${queued.id}`) });
  const ended = await work.ended({}, {}, { priority: 1 });
  expect(await work.reeve("suspend", ended.id)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("COMPLETED"),
  });
  expect(await work.reeve("resume", ended.id)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("not suspended"),
  });
  const worker = await work.worker();
  const [first, second] = [await worker.begin(), await work.submit()];
  const suspending = work.start(["suspend", first.id]);
  await eventually("the suspension is asked", () => work.at.job(first).suspendBy !== null);
  await worker.end(first);
  expect(await suspending.ended).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("came too late: it is COMPLETED"),
  });
  await worker.begin();
  worker.die();
  const gone = await work.reeve("suspend", second.id);
  expect(gone).toMatchObject({ code: 69, stderr: expect.stringContaining("its worker is gone") });
  expect(await work.reeve("suspend", "--no-wait", second.id)).toMatchObject({ code: 0, stdout: `${second.id}\n` });
  expect(await work.reeve("resume", "--no-wait", second.id)).toMatchObject({ code: 0 });
});

test("retry makes a new job that asks for the same, of an ended one only", async () => {
  using work = desk();
  const old = await work.ended({ ending: { kind: "exited", code: 1 } }, failure("no"), {
    priority: 4,
    runId: "r",
    owner: "o",
    executionDuration: 9,
    command: ["x", "y"],
    body: inlineBody(new Uint8Array([1])),
  });
  const done = await work.reeve("retry", "-q", old.id);
  const job = work.at.store.jobs.byPrefix(done.stdout.trim());
  expect(job).toMatchObject({
    phase: "QUEUED",
    retryOf: old.id,
    priority: 4,
    runId: "r",
    owner: "o",
    executionDuration: 9,
  });
  expect(work.at.store.jobs.inputs(job.seq)).toEqual(work.at.store.jobs.inputs(old.seq));
  expect(work.at.job(old)).toMatchObject({ phase: "ERROR", retriedAs: job.id, buriedAt: null });
  const refused = await work.reeve("retry", job.id);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("only a job that has ended") });
});

test("delete forgets a job, its files, and holds what waits for it", async () => {
  using work = desk();
  const job = await work.submit();
  const dependent = await work.submit({ after: [job.id] });
  const files = work.at.store.location.job(job.id);
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, "x"), "");
  expect(await work.reeve("delete", job.id)).toMatchObject({ code: 0, stdout: `${job.id}\n` });
  expect(existsSync(files)).toBe(false);
  expect(phaseOf(work, dependent)).toBe("HELD");
  const gone = await work.reeve("show", job.id);
  expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining("has been forgotten") });
});

test("delete of what runs waits for its worker", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const job = await worker.begin();
  const deleting = work.start(["delete", job.id]);
  await eventually("the abort is asked", () => work.at.job(job).abortBy !== null);
  await worker.end(job, { ending: { kind: "signalled", signal: "SIGTERM" }, cause: "abort" }, { phase: "ABORTED" });
  expect(await deleting.ended).toMatchObject({ code: 0, stdout: `${job.id}\n` });
  expect(work.at.store.jobs.byId(job.id)).toBeUndefined();
});

test("clean takes what it was asked for, and never what runs", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  await worker.begin();
  await work.ended();
  await work.ended({ ending: { kind: "exited", code: 1 } }, failure("no"));
  await work.submit({ hold: true });
  await work.submit();
  const clean = async (...args: string[]): Promise<string> => (await work.reeve("clean", ...args)).stdout;
  expect(await clean()).toBe("removed 0 jobs\n");
  expect(await clean("--all", "--older-than", "1h")).toBe("removed 0 jobs\n");
  expect(await clean("--all", "--dry-run")).toBe("would remove 4 jobs\n");
  expect(JSON.parse(await clean("--failed", "--json"))).toMatchObject({ removed: 1, ids: [expect.any(String)] });
  expect(await clean("--completed", "--forgotten")).toBe("removed 2 jobs\n");
  expect(await clean("--all")).toBe("removed 1 job\n");
  expect([...work.at.store.jobs.countByPhase()]).toEqual([["EXECUTING", 1]]);
});

test("clean takes what is expired, whatever it is, and more than one transaction of it", async () => {
  using work = desk();
  const { store } = work.at;
  const worker = await work.worker();
  await work.submit();
  const running = await worker.begin();
  // It ran when its time came: what is due before is not begun.
  store.database.run("UPDATE jobs SET destruction = 1, destruction_kept = 1 WHERE seq = ?", running.seq);
  const { newJob } = await import("../support/temporary.ts");
  await work.at.submit(...Array.from({ length: 1100 }, () => newJob({ destruction: 1 })));
  const kept = await work.submit();
  const done = await work.reeve("clean");
  expect(done).toMatchObject({
    code: 0,
    stdout: "removed 1100 jobs\n",
    stderr: expect.stringContaining("1 job still on a worker"),
  });
  expect(work.at.job(running)).toMatchObject({ phase: "EXECUTING", abortBy: expect.any(String) });
  expect(store.jobs.byId(kept.id)).toBeDefined();
});

test("wait exits as the first failing job did, or with 124 when it takes too long", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  await work.submit();
  const [first, second] = [await worker.begin(), await worker.begin()];
  const waiting = work.start(["wait", first.id, second.id]);
  await worker.end(second, { ending: { kind: "signalled", signal: "SIGKILL" } }, failure("killed"));
  const late = await work.reeve("wait", first.id, "--timeout", "50ms");
  expect(late).toMatchObject({ code: 124, stderr: expect.stringContaining("has not ended within 50ms") });
  await worker.end(first, {}, {});
  expect(await waiting.ended).toMatchObject({ code: 137, stdout: "" });
  expect(await work.reeve("wait", first.id, "--json")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("jobId"),
  });
});

test("wait tells of a job that is deleted meanwhile, or held", async () => {
  using work = desk();
  const job = await work.submit({ hold: true });
  const waiting = work.start(["wait", job.id]);
  await eventually("it says that the job is held", () => waiting.stderr().includes("is PENDING"));
  await work.at.store.write(() => work.at.store.forgetting.forget(job.seq, Date.now()));
  expect(await waiting.ended).toMatchObject({ code: 3, stderr: expect.stringContaining("was deleted") });
});
