import { expect, test } from "bun:test";
import { copyFileSync, readdirSync, renameSync } from "node:fs";
import type { JobDocument } from "../../src/uws/document.ts";
import { eventually, stays } from "../support/eventually.ts";
import { isLiving, statusOf } from "../support/processes.ts";
import { ALONE } from "./alone.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

/** Says that it runs, waits until it is told to go on, and ends with all that a job can leave. */
const LONG = `${ALONE}; echo before; echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; echo after >&2
  echo '{"progress":0.75,"message":"nearly"}' >&3; echo a map > "$REEVE_RESULTS/map.txt"; echo "$REEVE_JOB_ID" >> ran; exit 7`;

const outliving = (script: string, ...options: string[]): string[] => ["--outlive", ...options, ...sh(script)];

async function killed(worker: Running): Promise<void> {
  worker.signal("SIGKILL");
  expect((await worker.ended).signal).toBe("SIGKILL");
}

const left = ({ store }: Place): Record<string, string[]> => ({
  workers: readdirSync(`${store}/workers`),
  outlive: readdirSync(`${store}/outlive`),
});

const NOTHING_LEFT = { workers: [], outlive: [] };

/** What all of {@link LONG} has become. */
async function expectWhole(place: Place, id: string): Promise<JobDocument> {
  const job = await place.show(id);
  expect(job).toMatchObject({
    phase: "ERROR",
    jobInfo: { exitCode: 7, lost: 0, failures: 1, progress: { fraction: 0.75, message: "nearly" } },
    results: [{ id: "map.txt", size: 6 }],
  });
  expect(job.jobInfo.attempts).toHaveLength(1);
  expect(await place.ok("logs", id)).toBe("before\nafter\n");
  expect(await place.ok("result", id, "map.txt")).toBe("a map\n");
  expect(place.lines("ran")).toEqual([id]);
  expect(place.read("twice")).toBe("");
  return job;
}

forEachForm("a job that outlives its worker", (form) => {
  test("which is killed: the next one learns how it ends, and all that it leaves", async () => {
    await using place = new Place(form);
    const id = await place.submit(...outliving(LONG));
    const first = await place.worker();
    const pid = Number(await place.file("pid"));
    await killed(first);
    expect(isLiving(pid)).toBe(true);
    const next = await place.worker();
    await next.says("has outlived worker");
    expect(await place.show(id)).toMatchObject({ phase: "EXECUTING", jobInfo: { worker: next.log()[0]?.worker } });
    place.write("go", "");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 7 });
    await expectWhole(place, id);
    expect(await place.ok("why", id)).toMatch(/adopted: attempt 1 outlived worker/);
    next.signal("SIGTERM");
    await next.ended;
    expect(left(place)).toEqual(NOTHING_LEFT);
    expect(place.processes()).toEqual([]);
  });

  const signals = form === COMPILED ? (["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) : (["SIGTERM"] as const);
  for (const signal of signals) {
    test(`which is stopped by ${signal}: it is left alone, and goes on`, async () => {
      await using place = new Place(form);
      const [id = "", other = ""] = await place.submitBatch([
        { command: sh(LONG).slice(1), outlive: true },
        { command: sh('trap "exit 0" TERM; touch other; while [ ! -e go ]; do sleep 0.02; done').slice(1) },
      ]);
      const worker = await place.worker(["--concurrency", "2"]);
      const pid = Number(await place.file("pid"));
      await eventually("the other runs", () => readdirSync(place.of()).includes("other"));
      const before = performance.now();
      worker.signal(signal);
      if (signal === "SIGUSR1") {
        await worker.says("stopping");
        expect(await stays("it waits for the other", () => isLiving(worker.pid), 300)).toBeUndefined();
        expect(await place.reeve("abort", other)).toMatchObject({ code: 0 });
      }
      const done = await worker.ended;
      expect(done.signal ?? done.code).toBe(signal === "SIGUSR1" ? 0 : signal);
      expect(performance.now() - before).toBeLessThan(8000);
      expect(done.stderr).toContain("1 left to the next worker");
      expect(isLiving(pid)).toBe(true);
      expect(await place.phase(id)).toBe("EXECUTING");
      expect(await place.phase(other)).toBe(signal === "SIGUSR1" ? "ABORTED" : "QUEUED");
      expect(await place.ok("why", id)).toContain("No worker watches it at present");
      for (const verb of [["list"], ["show", id]]) {
        expect((await place.reeve(...verb)).stderr).toContain("no worker watches 1 running job at present");
      }

      const next = place.drain();
      place.write("go", "");
      expect(await next).toMatchObject({ code: 1 });
      await expectWhole(place, id);
      expect(left(place)).toEqual(NOTHING_LEFT);
      expect(place.processes()).toEqual([]);
    });
  }

  test("and ends while there is none: how and when, and all that it left, is learnt afterwards", async () => {
    await using place = new Place(form);
    const id = await place.submit(...outliving(LONG));
    const worker = await place.worker();
    await place.file("pid");
    await killed(worker);
    const told = Date.now();
    place.write("go", "");
    await eventually("it has ended", () => place.jobProcesses().length === 0);
    const ended = Date.now();
    await stays("there is no worker", () => place.jobProcesses().length === 0, 300);
    await place.drain();
    const job = await expectWhole(place, id);
    expect(Date.parse(job.endTime ?? "")).toBeWithin(told - 20, ended + 50);
    expect(left(place)).toEqual(NOTHING_LEFT);
  });

  test("is ended by the next one when its time is over", async () => {
    await using place = new Place(form);
    const id = await place.submit(...outliving(LONG, "--timeout", "1500ms"));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    await killed(worker);
    await place.drain();
    expect(isLiving(pid)).toBe(false);
    const job = await place.show(id);
    expect(job).toMatchObject({ phase: "ERROR", errorSummary: { cause: "timeout" } });
    const took = Date.parse(job.endTime ?? "") - Date.parse(job.startTime ?? "");
    expect(took).toBeWithin(1400, 15_000);
    expect(place.processes()).toEqual([]);
  });

  test("is aborted: under its next worker, and by it when nobody watched", async () => {
    await using place = new Place(form);
    const ids = await place.submitBatch(
      ["one", "other"].map((name) => ({ command: sh(`echo > ${name}; exec sleep 1000`).slice(1), outlive: true })),
    );
    const [one = "", other = ""] = ids;
    const worker = await place.worker(["--concurrency", "2"]);
    await Promise.all([place.file("one"), place.file("other")]);
    await killed(worker);
    expect(await place.reeve("abort", one)).toMatchObject({ code: 69 });
    expect(place.jobProcesses()).toHaveLength(4);
    const next = await place.worker();
    expect(await place.reeve("abort", other)).toMatchObject({ code: 0 });
    await place.reeve("wait", one);
    expect(await Promise.all(ids.map((id) => place.phase(id)))).toEqual(["ABORTED", "ABORTED"]);
    expect(place.jobProcesses()).toEqual([]);
    next.signal("SIGTERM");
    await next.ended;
    expect(left(place)).toEqual(NOTHING_LEFT);
  });

  // What does not depend on the runtime is seen on one of them.
  if (form !== COMPILED) return;

  test("whose time is over: it goes on", async () => {
    await using place = new Place(form);
    await place.submit(...outliving(LONG));
    const worker = await place.worker(["--max-time", "500ms"]);
    const pid = Number(await place.file("pid"));
    expect(await worker.ended).toMatchObject({ code: 0 });
    expect(isLiving(pid)).toBe(true);
  });

  test("is killed by somebody while nobody watches", async () => {
    await using place = new Place(form);
    const [main = "", whole = ""] = await place.submitBatch([
      { command: sh("echo said; echo $$ > main; exec sleep 1000").slice(1), outlive: true },
      {
        command: sh(`echo $$ > whole.$REEVE_ATTEMPT; test "$REEVE_ATTEMPT" = 2 || exec sleep 1000`).slice(1),
        outlive: true,
      },
    ]);
    const worker = await place.worker(["--concurrency", "2"]);
    const [pid, other] = [Number(await place.file("main")), Number(await place.file("whole.1"))];
    await killed(worker);
    process.kill(pid, "SIGSEGV");
    // With the shell that would keep its end.
    process.kill(-Number(statusOf(other, "PPid")), "SIGKILL");
    await eventually("all are dead", () => place.jobProcesses().length === 0);
    await place.drain();
    expect(await place.show(main)).toMatchObject({ phase: "ERROR", jobInfo: { signal: "SIGSEGV", lost: 0 } });
    expect(await place.ok("logs", main)).toBe("said\n");
    expect(await place.show(whole)).toMatchObject({ phase: "COMPLETED", jobInfo: { lost: 1 } });
  });

  test("stands still, and does so for the next one until it is resumed", async () => {
    await using place = new Place(form);
    const id = await place.submit(...outliving(LONG, "--timeout", "5s"));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    await place.ok("suspend", id);
    expect(statusOf(pid, "State")).toStartWith("T");
    await killed(worker);
    const next = await place.worker();
    await next.says("has outlived worker");
    expect(await place.phase(id)).toBe("SUSPENDED");
    await stays("it stands still", () => statusOf(pid, "State")?.startsWith("T") ?? false, 5000);
    await place.ok("resume", id);
    place.write("go", "");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 7 });
    await expectWhole(place, id);
  });

  test("and is resumed while there is none: it goes on with the next", async () => {
    await using place = new Place(form);
    const id = await place.submit(...outliving(LONG));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    await place.ok("suspend", id);
    await killed(worker);
    await place.reeve("resume", id);
    expect(statusOf(pid, "State")).toStartWith("T");
    place.write("go", "");
    await place.drain();
    await expectWhole(place, id);
  });

  test("takes a place of its next worker, which starts nothing more than it may", async () => {
    await using place = new Place(form);
    const wait = "echo $$ > pid.$1; while [ ! -e go.$1 ]; do sleep 0.02; done";
    const adopted = await place.submitBatch(
      ["1", "2"].map((name) => ({ command: sh(wait, name).slice(1), outlive: true })),
    );
    const worker = await place.worker(["--concurrency", "2"]);
    await Promise.all([place.file("pid.1"), place.file("pid.2")]);
    await killed(worker);
    const next = await place.worker(["--concurrency", "1"]);
    await eventually("both are adopted", () => next.log().filter(({ event }) => event === "job adopted").length === 2);
    const queued = await place.submit(...sh(wait, "3"));
    place.write("go.1", "");
    await place.reeve("wait", adopted[0] ?? "");
    await stays("nothing more is started", () => place.read("pid.3") === "", 300);
    place.write("go.2", "");
    await place.file("pid.3");
    place.write("go.3", "");
    expect(await place.reeve("wait", ...adopted, queued)).toMatchObject({ code: 0 });
  });

  test("is adopted by one of two that wait for it, also as a definition that is none by now", async () => {
    await using place = new Place(form);
    const definition = `[jobs.long]\noutlive = true\ncommand = ["sh", "-c", ${JSON.stringify(LONG)}]\n`;
    place.write("reeve.toml", `[worker]\nrecovery_interval = "50ms"\n${definition}`);
    const id = await place.submit("long");
    const first = await place.worker();
    await place.file("pid");
    place.write("reeve.toml", '[worker]\nrecovery_interval = "50ms"\n');
    const others = await Promise.all([place.worker(), place.worker()]);
    await killed(first);
    const adoptions = (): number =>
      others.flatMap((other) => other.log()).filter(({ event }) => event === "job adopted").length;
    await eventually("it is adopted", () => adoptions() > 0);
    await stays("it is adopted once", () => adoptions() === 1, 300);
    place.write("go", "");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 7 });
    await expectWhole(place, id);
  });

  test("has its exit handler run by the next one, once", async () => {
    await using place = new Place(form);
    const handler = ["sh", "-c", 'echo "$REEVE_CAUSE $REEVE_JOB_ID" >> cleaned'];
    const [id = ""] = await place.submitBatch([
      { command: sh("echo $$ > pid; exec sleep 1000").slice(1), outlive: true, exit_handler: handler },
    ]);
    const worker = await place.worker();
    await place.file("pid");
    worker.signal("SIGTERM");
    await worker.ended;
    expect(place.read("cleaned")).toBe("");
    const next = await place.worker();
    await next.says("has outlived worker");
    await place.ok("abort", id);
    expect(place.lines("cleaned")).toEqual([`abort ${id}`]);
    expect(await place.phase(id)).toBe("ABORTED");
  });

  test.each(["--end-outliving", "end_outliving"])("ends with its worker when that is told so: %s", async (how) => {
    await using place = new Place(form);
    if (!how.startsWith("--")) place.write("reeve.toml", "[worker]\nend_outliving = true\n");
    const id = await place.submit(...outliving(LONG));
    const worker = await place.worker(how.startsWith("--") ? [how] : []);
    await place.file("pid");
    worker.signal("SIGTERM");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(place.processes()).toEqual([]);
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", errorSummary: { cause: "stop" } });
    expect(left(place)).toEqual(NOTHING_LEFT);
  });

  test("does not keep from its end who is to run one job, and is put in order by it when it has ended", async () => {
    await using place = new Place(form);
    const id = await place.submit(...outliving(LONG));
    const worker = await place.worker();
    const pid = Number(await place.file("pid"));
    await killed(worker);
    const one = await place.submit("--", "true");
    expect(await place.reeve("work", "--once")).toMatchObject({ code: 0 });
    expect(await place.phase(one)).toBe("COMPLETED");
    expect(await place.phase(id)).toBe("EXECUTING");
    expect(isLiving(pid)).toBe(true);
    place.write("go", "");
    await eventually("it has ended", () => place.jobProcesses().length === 0);
    expect(await place.reeve("work", "--once")).toMatchObject({ code: 3 });
    await expectWhole(place, id);
    expect(left(place)).toEqual(NOTHING_LEFT);
  });
});

test("the program is replaced on the disk while a job runs: the new one adopts it", async () => {
  await using place = new Place(COMPILED);
  const [program = ""] = COMPILED.argv;
  const own = place.of("reeve");
  copyFileSync(program, own);
  await using beside = new Place({ ...COMPILED, argv: [own] }, place.store);
  const id = await place.submit(...outliving(LONG));
  const worker = await beside.worker();
  await place.file("pid");
  copyFileSync(program, `${own}.new`);
  renameSync(`${own}.new`, own);
  worker.signal("SIGTERM");
  await worker.ended;
  const next = beside.drain();
  place.write("go", "");
  expect(await next).toMatchObject({ code: 1 });
  await expectWhole(place, id);
});
