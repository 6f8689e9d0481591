import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { constants } from "node:os";
import { readdirSync } from "node:fs";
import { eventually, within } from "../support/eventually.ts";
import { isLiving, stateOf } from "../support/processes.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

const STOPS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGABRT"] as const;
/** Wherever it makes no difference which of them comes, one stands for all in the slower forms. */
const stopsFor = (form: { readonly name: string }): readonly (typeof STOPS)[number][] =>
  form === COMPILED ? STOPS : ["SIGQUIT"];

const WAITS = 'echo "$REEVE_ATTEMPT" >> began; while [ ! -e go ]; do sleep 0.02; done';
/** A tree that says that it was told, and does not obey; a part of it is in a session of its own. */
const STUBBORN = `trap "echo told >> told" TERM; setsid sh -c 'trap "" TERM; sleep 1000; sleep 1000' & ${WAITS}`;

/** Nobody else can write to the store of the place until it is disposed of. */
function locked({ store }: Place): Disposable {
  const database = new Database(`${store}/reeve.db`);
  database.run("PRAGMA busy_timeout = 10000");
  database.run("BEGIN IMMEDIATE");
  return { [Symbol.dispose]: () => (database.run("ROLLBACK"), database.close()) };
}

async function waitsForStore(worker: Running): Promise<void> {
  await eventually("it has something to write", () => worker.log().some(({ event }) => event === "trouble"));
}

/** It is dead by that signal, and nothing of it is left. */
async function diedBy(signal: NodeJS.Signals, worker: Running, place: Place): Promise<void> {
  expect(await within("the worker ends", worker.ended)).toMatchObject({ code: null, signal });
  expect(place.processes()).toEqual([]);
  expect(readdirSync(`${place.store}/workers`)).toEqual([]);
}

/** A worker that is about to claim a job, and cannot before `release` is called. */
async function claiming(place: Place) {
  const worker = await place.worker();
  const id = await place.submit("--delay", "500ms", ...sh("echo ran >> began"));
  const lock = locked(place);
  await waitsForStore(worker);
  return { worker, id, release: () => lock[Symbol.dispose]() };
}

forEachForm("a stop", (form) => {
  for (const signal of stopsFor(form)) {
    test(`by ${signal} while a claim is under way: nothing is started, nothing is counted`, async () => {
      await using place = new Place(form);
      const { worker, id, release } = await claiming(place);
      worker.signal(signal);
      await worker.says('"worker stopping"');
      release();
      await diedBy(signal, worker, place);
      expect(place.read("began")).toBe("");
      expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { failures: 0, lost: 0, attempts: [] } });
    });

    test(`by ${signal} while an end is being recorded: what has ended has ended`, async () => {
      await using place = new Place(form);
      const id = await place.submit(...sh(WAITS));
      const worker = await place.worker();
      await place.file("began");
      {
        using _ = locked(place);
        place.write("go", "");
        await waitsForStore(worker);
        worker.signal(signal);
        await worker.says('"worker stopping"');
      }
      await diedBy(signal, worker, place);
      expect(await place.show(id)).toMatchObject({
        phase: "COMPLETED",
        jobInfo: { attempts: [{ exitCode: 0, cause: null }] },
      });
    });
  }

  test("while a tree is being ended changes nothing about why", async () => {
    await using place = new Place(form);
    const aborted = await place.submit("--grace", "1s", ...sh(STUBBORN));
    const late = await place.submit("--timeout", "500ms", "--grace", "1s", ...sh(STUBBORN));
    const worker = await place.worker(["--concurrency", "2"]);
    await eventually("both run", () => place.lines("began").length === 2);
    await place.reeve("abort", "--no-wait", aborted);
    await eventually("both are being ended", () => place.lines("told").length === 2);
    worker.signal("SIGTERM");
    await diedBy("SIGTERM", worker, place);
    const causes = await Promise.all(
      [aborted, late].map(async (id) => (await place.show(id)).jobInfo.attempts[0]?.cause),
    );
    expect(causes).toEqual(["abort", "timeout"]);
    expect([await place.phase(aborted), await place.phase(late)]).toEqual(["ABORTED", "ERROR"]);
  });

  test("of worker and jobs at once, as a service manager does it, puts all back", async () => {
    await using place = new Place(form);
    const scripts = [
      "exec sleep 1000",
      "trap 'exit 143' TERM; sleep 1000 & wait",
      "sleep 1000 | sleep 1000",
      "sleep 1000",
    ];
    const commands = scripts.map((script) => ({
      command: sh(`echo x >> began; ${script}`).slice(1),
      "max-attempts": 5,
    }));
    const ids = await place.submitBatch(commands);
    const worker = await place.worker(["--concurrency", "4"]);
    await eventually("all run", () => place.lines("began").length === 4 && place.jobProcesses().length >= 7);
    // The worker last, which is the hardest order.
    for (const pid of [...place.jobProcesses(), worker.pid]) if (isLiving(pid)) process.kill(pid, "SIGTERM");
    await diedBy("SIGTERM", worker, place);
    for (const id of ids) {
      const { phase, jobInfo } = await place.show(id);
      expect([phase, jobInfo.failures, jobInfo.lost, jobInfo.attempts[0]?.cause]).toEqual(["QUEUED", 0, 0, "stop"]);
    }
  });

  test("of jobs that stand still ends them all the same", async () => {
    await using place = new Place(form);
    const id = await place.submit("--grace", "300ms", ...sh(STUBBORN));
    const worker = await place.worker();
    await place.file("began");
    worker.signal("SIGTSTP");
    await eventually("the tree stands still", () => place.jobProcesses().every((pid) => stateOf(pid) === "T"));
    worker.signal("SIGHUP");
    await diedBy("SIGHUP", worker, place);
    expect(await place.show(id)).toMatchObject({
      phase: "QUEUED",
      jobInfo: { failures: 0, attempts: [{ cause: "stop" }] },
    });
  });

  test("by several signals at once is one stop, by the first", async () => {
    await using place = new Place(form);
    const id = await place.submit("--grace", "1s", ...sh(STUBBORN));
    const worker = await place.worker();
    await place.file("began");
    worker.signal("SIGINT");
    await worker.says('"worker stopping"');
    for (const signal of STOPS) worker.signal(signal);
    await diedBy("SIGINT", worker, place);
    expect(worker.log().filter(({ event }) => event === "worker stopping")).toHaveLength(1);
    expect(await place.phase(id)).toBe("QUEUED");
  });

  test("whose budget is used up before it begins kills at once; what is to be cleaned up is owed", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nstop_budget = "300ms"\n');
    const unwilling = sh(`trap "" TERM; ${WAITS}`);
    const plain = await place.submit("--grace", "1h", ...unwilling);
    const handler = ["sh", "-c", "echo handled >> handled"].flatMap((word) => ["--exit-handler", word]);
    const owing = await place.submit("--grace", "1h", ...handler, ...unwilling);
    const worker = await place.worker(["--concurrency", "2"]);
    await eventually("both run", () => place.lines("began").length === 2);
    worker.signal("SIGQUIT");
    expect(await within("the worker ends", worker.ended)).toMatchObject({ signal: "SIGQUIT" });
    // Where not even that is recorded in time, it is the next worker's.
    place.write("go", "");
    await place.drain();
    expect(place.processes()).toEqual([]);
    expect([await place.phase(plain), await place.phase(owing)]).toEqual(["COMPLETED", "COMPLETED"]);
    expect(place.lines("handled")).toEqual(["handled"]);
    expect(readdirSync(`${place.store}/workers`)).toEqual([]);
  });

  test("by a signal that was ignored when the worker was started is none", async () => {
    await using place = new Place(form);
    const ignoring = ["sh", "-c", 'trap "" HUP INT QUIT TERM; exec "$@"', "sh"];
    const worker = await place.worker([], { under: ignoring });
    for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) worker.signal(signal);
    const id = await place.submit("--", "true");
    expect(await place.reeve("wait", id)).toMatchObject({ code: 0 });
    worker.signal("SIGABRT");
    await diedBy("SIGABRT", worker, place);
  });
});

forEachForm("SIGUSR1", (form) => {
  test("to an idle worker, and more than once, ends it with 0", async () => {
    await using place = new Place(form);
    const worker = await place.worker();
    worker.signal("SIGUSR1");
    if (isLiving(worker.pid)) worker.signal("SIGUSR1");
    expect(await within("the worker ends", worker.ended)).toMatchObject({ code: 0, signal: null });
    expect(readdirSync(`${place.store}/workers`)).toEqual([]);
  });

  test("while a claim is under way: nothing is started", async () => {
    await using place = new Place(form);
    const { worker, id, release } = await claiming(place);
    worker.signal("SIGUSR1");
    await worker.says('"worker stopping"');
    release();
    expect(await within("the worker ends", worker.ended)).toMatchObject({ code: 0, signal: null });
    expect(await place.show(id)).toMatchObject({ phase: "QUEUED", jobInfo: { attempts: [] } });
  });

  test("and then a stop puts back what would have been let finish", async () => {
    await using place = new Place(form);
    const id = await place.submit(...sh(WAITS));
    const worker = await place.worker();
    await place.file("began");
    worker.signal("SIGUSR1");
    await worker.says('"worker stopping"');
    worker.signal("SIGTERM");
    await diedBy("SIGTERM", worker, place);
    expect(await place.phase(id)).toBe("QUEUED");
  });
});

for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT"] as const) {
  test(`as process 1 a worker that is stopped by ${signal} exits with 128 + n`, async () => {
    await using place = new Place(COMPILED);
    const worker = await place.worker([], { under: ["unshare", "--pid", "--fork", "--mount-proc"] });
    const inside = await eventually("process 1 is seen from outside", () =>
      place.processes().find((pid) => pid !== worker.pid),
    );
    process.kill(inside, signal);
    expect(await within("the worker ends", worker.ended)).toMatchObject({
      code: 128 + constants.signals[signal],
      signal: null,
    });
    expect(readdirSync(`${place.store}/workers`)).toEqual([]);
  });
}
