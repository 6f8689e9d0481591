import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { COMPILED, forEachForm } from "./forms.ts";
import { Place, sh, type Running } from "./place.ts";

/**
 * Writes down why it runs, and what the job's main process does meanwhile: `T` is suspended (so is who waits for a child
 * that was stopped before its exec), nothing is gone.
 */
const NOTE = 'echo "$REEVE_CAUSE $(cut -d" " -f3 "/proc/$(cat pid)/stat" 2>/dev/null | tr D T)" >> handled';
/** A main process that says who it is, with a child that left its session. */
const BEGIN = 'setsid sleep 1000 & echo $$ > pid; echo "$REEVE_ATTEMPT" >> began';
const STAYS = `${BEGIN}; while :; do sleep 0.02; done`;

const handler = (script: string): string[] => ["sh", "-c", script].flatMap((word) => ["--exit-handler", word]);

async function begun(place: Place, times = 1): Promise<void> {
  await eventually("the job runs", () => place.lines("began").length >= times);
}

async function stopped(worker: Running): Promise<void> {
  worker.signal("SIGTERM");
  expect((await worker.ended).signal).toBe("SIGTERM");
}

interface Way {
  readonly script: string;
  readonly options?: readonly string[];
  /** Makes it end. */
  readonly end?: (place: Place, worker: Running, id: string) => Promise<unknown>;
  /** What the handler has to say; empty: it is not run. */
  readonly handled: readonly string[];
  readonly phase: string;
}

const kill = (signal: NodeJS.Signals) => async (place: Place) => process.kill(Number(await place.file("pid")), signal);

const WAYS: Readonly<Record<string, Way>> = {
  "exits with 0": { script: BEGIN, handled: [], phase: "COMPLETED" },
  "exits with 3": { script: `${BEGIN}; exit 3`, handled: [], phase: "ERROR" },
  "takes too long": { script: STAYS, options: ["--timeout", "300ms"], handled: ["timeout "], phase: "ERROR" },
  "overruns its duration": {
    script: STAYS,
    options: ["--execution-duration", "1s"],
    handled: ["overrun "],
    phase: "ABORTED",
  },
  "is aborted": {
    script: STAYS,
    end: (place, _worker, id) => place.ok("abort", id),
    handled: ["abort "],
    phase: "ABORTED",
  },
  "is killed from outside": { script: STAYS, end: kill("SIGKILL"), handled: ["signal "], phase: "ERROR" },
  crashes: { script: `${BEGIN}; kill -SEGV $$`, handled: ["signal "], phase: "ERROR" },
  "is stopped with its worker": {
    script: STAYS,
    end: (_place, worker) => stopped(worker),
    handled: ["stop T"],
    phase: "QUEUED",
  },
};

/** What depends on the runtime: how an end is told, and by which signal. */
const ON_EACH_FORM = new Set(["exits with 3", "crashes", "is stopped with its worker"]);

forEachForm("an exit handler", (form) => {
  for (const [how, { script, options = [], end, handled, phase }] of Object.entries(WAYS)) {
    if (form !== COMPILED && !ON_EACH_FORM.has(how)) continue;
    test(`${handled.length > 0 ? "runs" : "does not run"} for a job that ${how}`, async () => {
      await using place = new Place(form);
      const id = await place.submit(...options, "--grace", "200ms", ...handler(NOTE), ...sh(script));
      const worker = await place.worker();
      await begun(place);
      await end?.(place, worker, id);
      await eventually("it is over", async () => (await place.phase(id)) === phase);
      expect(place.lines("handled")).toEqual([...handled]);
      const [attempt] = (await place.show(id)).jobInfo.attempts;
      expect(attempt?.cleanUp?.outcome).toBe(handled.length > 0 ? "done" : undefined);
      expect(place.jobProcesses()).toEqual([]);
    });
  }

  test("has its own arguments, the job's environment, directories and body, and its output is kept", async () => {
    await using place = new Place(form);
    const script =
      'cat; echo; echo "$A $REEVE_ATTEMPT $REEVE_JOB_ID $PWD"; cat "$REEVE_WORKDIR/half" "$REEVE_RESULTS/map"';
    const options = ["--env", "A=1", "--body", "the body", "--max-attempts", "2"];
    const id = await place.submit(
      ...options,
      ...handler(script),
      ...sh(`echo half > "$REEVE_WORKDIR/half"; echo map > "$REEVE_RESULTS/map"; ${STAYS}`),
    );
    const worker = await place.worker();
    await begun(place);
    await stopped(worker);
    const output = await place.ok("logs", id, "--exit-handler");
    expect(output).toBe(`the body\n1 1 ${id} ${place.of()}\nhalf\nmap\n`);
    const [attempt] = (await place.show(id)).jobInfo.attempts;
    expect(attempt?.cleanUp).toMatchObject({ outcome: "done", tries: 1, exitCode: 0, signal: null });
    expect(await place.ok("why", id)).toContain("exit handler");
  });

  if (form !== COMPILED) return;

  test("that fails is run once more when the tree is dead; failed twice, the job is never run again", async () => {
    await using place = new Place(form);
    const id = await place.submit("--max-attempts", "5", ...handler(`${NOTE}; exit 7`), ...sh(STAYS));
    const worker = await place.worker();
    await begun(place);
    await stopped(worker);
    expect(place.lines("handled")).toEqual(["stop T", "stop "]);
    const { phase, errorSummary, jobInfo } = await place.show(id);
    expect({ phase, type: errorSummary?.type }).toEqual({ phase: "ERROR", type: "fatal" });
    expect(errorSummary?.message).toContain("exit handler failed twice");
    expect(jobInfo.attempts[0]?.cleanUp).toMatchObject({ outcome: "failed", tries: 2, exitCode: 7 });
    await place.drain();
    expect(place.lines("began")).toHaveLength(1);
  });

  test("that fails once only has cleaned up", async () => {
    await using place = new Place(form);
    const script = `${NOTE}; [ -e once ] || { touch once; exit 1; }`;
    const id = await place.submit(...handler(script), ...sh(STAYS));
    const worker = await place.worker();
    await begun(place);
    await stopped(worker);
    expect(place.lines("handled")).toEqual(["stop T", "stop "]);
    expect(await place.show(id)).toMatchObject({
      phase: "QUEUED",
      jobInfo: { failures: 0, attempts: [{ cleanUp: { outcome: "done", tries: 2 } }] },
    });
  });

  test("of a lost job is run by the next worker, before the job is run again", async () => {
    await using place = new Place(form);
    const script = `echo "handler $REEVE_CAUSE" >> began`;
    const id = await place.submit(...handler(script), ...sh(`${BEGIN}; [ "$REEVE_ATTEMPT" = 2 ] || sleep 1000`));
    const worker = await place.worker();
    await begun(place);
    worker.signal("SIGKILL");
    await worker.ended;
    await place.drain();
    expect(place.lines("began")).toEqual(["1", "handler lost", "2"]);
    expect(await place.phase(id)).toBe("COMPLETED");
    expect(place.jobProcesses()).toEqual([]);
  });

  test("whose worker is killed is tried once more, and no third time", async () => {
    await using place = new Place(form);
    const script = "echo $$ >> handled; setsid sleep 1000 & while :; do sleep 0.02; done";
    const id = await place.submit("--timeout", "100ms", ...handler(script), ...sh(STAYS));
    for (const tries of [1, 2]) {
      const worker = await place.worker();
      await eventually("the handler runs", () => place.lines("handled").length === tries);
      worker.signal("SIGKILL");
      await worker.ended;
    }
    await place.drain();
    const pids = place.lines("handled").map(Number);
    expect(pids).toHaveLength(2);
    expect(pids.filter(isLiving)).toEqual([]);
    expect(place.jobProcesses()).toEqual([]);
    expect(await place.show(id)).toMatchObject({
      phase: "ERROR",
      errorSummary: { message: expect.stringContaining("exit handler failed twice") },
      jobInfo: { attempts: [{ cleanUp: { outcome: "failed", tries: 2 } }] },
    });
    expect(readdirSync(`${place.store}/workers`)).toEqual([]);
  });

  test("whose time is over has failed", async () => {
    await using place = new Place(form);
    const script = "echo tried >> handled; exec sleep 1000";
    const times = ["--timeout", "100ms", "--exit-handler-timeout", "200ms"];
    const id = await place.submit(...times, ...handler(script), ...sh(STAYS));
    await place.drain();
    expect(place.lines("handled")).toEqual(["tried", "tried"]);
    expect(await place.phase(id)).toBe("ERROR");
    expect(place.jobProcesses()).toEqual([]);
  });

  test("that a stop cuts short is owed: the next start runs it first, and then the job", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", '[worker]\nstop_budget = "3s"\n');
    const script = 'echo "handler $REEVE_CAUSE" >> began; [ -e quick ] || sleep 1000';
    const job = `${BEGIN}; [ "$REEVE_ATTEMPT" = 2 ] || sleep 1000`;
    const id = await place.submit(...handler(script), ...sh(job));
    const worker = await place.worker();
    await begun(place);
    await stopped(worker);
    expect(place.jobProcesses()).toEqual([]);
    expect(await place.show(id)).toMatchObject({
      phase: "QUEUED",
      jobInfo: { failures: 0, attempts: [{ cleanUp: { outcome: "owed", tries: 0 } }] },
    });
    place.write("quick", "");
    await place.drain();
    expect(place.lines("began")).toEqual(["1", "handler stop", "handler stop", "2"]);
    expect(await place.show(id)).toMatchObject({
      phase: "COMPLETED",
      jobInfo: { attempts: [{ cleanUp: { outcome: "done", tries: 1 } }, { exitCode: 0 }] },
    });
  });

  test("that a second signal cuts short is owed, also to an abort, which then needs no run", async () => {
    await using place = new Place(form);
    const script = 'echo "handler $REEVE_CAUSE" >> began; [ -e quick ] || sleep 1000';
    const id = await place.submit(...handler(script), ...sh(STAYS));
    const worker = await place.worker();
    await begun(place);
    await place.reeve("abort", "--no-wait", id);
    await begun(place, 2);
    worker.signal("SIGTERM");
    await worker.says("stopping");
    await eventually("two seconds have passed", () => {
      if (!isLiving(worker.pid)) return true;
      worker.signal("SIGTERM");
      return false;
    });
    expect(place.jobProcesses()).toEqual([]);
    // Not ABORTED before it is cleaned up.
    expect(await place.phase(id)).toBe("QUEUED");
    place.write("quick", "");
    await place.drain();
    expect(place.lines("began")).toEqual(["1", "handler abort", "handler abort"]);
    expect(await place.phase(id)).toBe("ABORTED");
  });

  test("runs beside those of the other jobs", async () => {
    await using place = new Place(form);
    const script = 'echo begun >> handled; while [ "$(grep -c begun handled)" -lt 4 ]; do sleep 0.02; done';
    for (let count = 0; count < 4; count += 1) await place.submit(...handler(script), ...sh(STAYS));
    const worker = await place.worker(["--concurrency", "4"]);
    await begun(place, 4);
    await stopped(worker);
    const phases = (await place.list()).map(({ phase, jobInfo }) => [phase, jobInfo.attempts[0]?.cleanUp?.outcome]);
    expect(phases).toEqual(Array.from({ length: 4 }, () => ["QUEUED", "done"]));
  });

  test("runs as after a stop when a service manager signals worker and job at once", async () => {
    await using place = new Place(form);
    const id = await place.submit(...handler(NOTE), ...sh(STAYS));
    const worker = await place.worker();
    await begun(place);
    process.kill(Number(await place.file("pid")), "SIGTERM");
    await stopped(worker);
    // It may not have come to its death before it was made to stand still.
    expect(place.lines("handled")).toEqual([expect.stringMatching(/^stop T?$/)]);
    expect(await place.phase(id)).toBe("QUEUED");
  });
});

forEachForm("a job that is stopped with its worker", (form) => {
  test("may finish in its time", async () => {
    await using place = new Place(form);
    const id = await place.submit("--finish-timeout", "10s", ...sh(`${BEGIN}; while [ ! -e go ]; do sleep 0.02; done`));
    const worker = await place.worker();
    await begun(place);
    worker.signal("SIGTERM");
    await worker.says("stopping");
    place.write("go", "");
    expect((await worker.ended).signal).toBe("SIGTERM");
    expect(await place.show(id)).toMatchObject({ phase: "COMPLETED", jobInfo: { exitCode: 0 } });
  });

  for (const [meaning, phase] of [
    ["release", "QUEUED"],
    ["completed", "COMPLETED"],
  ] as const) {
    test(`and then exits with 0 is ${phase} where that means "${meaning}"`, async () => {
      await using place = new Place(form);
      const script = `trap 'exit 0' TERM; ${STAYS}`;
      const id = await place.submit("--term-exit-zero", meaning, ...sh(script));
      const worker = await place.worker();
      await begun(place);
      await stopped(worker);
      expect(await place.phase(id)).toBe(phase);
    });
  }
});
