import { expect, test } from "bun:test";
import type { JobDocument } from "../../src/uws/document.ts";
import { eventually } from "../support/eventually.ts";
import { BOUNDS_MEMORY } from "../support/groups.ts";
import { existing } from "../support/temporary.ts";
import { COMPILED, forEachForm, type Form } from "./forms.ts";
import { Place, type Running } from "./place.ts";

interface Way {
  /** Keys of the definition, as they are written. */
  readonly keys?: string;
  readonly body: string;
  /** Makes it end when it says that it has begun. */
  readonly end?: (place: Place, id: string) => Promise<unknown>;
  readonly phase: JobDocument["phase"];
  readonly exitCode?: number;
  readonly signal?: string;
  /** Of the error. */
  readonly says?: RegExp | string;
  readonly type?: "transient" | "fatal";
  /** In the detail of the error. */
  readonly tells?: RegExp;
  /** Why its exit handler is run; absent: it is not. */
  readonly cause?: string;
  /** What it has written by then. */
  readonly wrote?: readonly string[];
}

const BEGIN = 'note("began");';
const UNTIL_TOLD = `${BEGIN} await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));`;
const SOON = 'grace: "10s",';
const AT_ONCE = 'grace: "200ms",';
/** From now on, so that it has begun however long that took. */
const NO_TIME = "await deadline(0.1);";

const WAYS: Readonly<Record<string, Way>> = {
  returns: { body: "return 1;", phase: "COMPLETED", exitCode: 0 },
  returnsBesideATimer: { body: "setInterval(() => {}, 1000); return 1;", phase: "COMPLETED", exitCode: 0 },
  throws: {
    body: 'throw new TypeError("no picture");',
    phase: "ERROR",
    exitCode: 1,
    says: /^TypeError: no picture \(jobs\.ts:\d+\) \(exit code 1\)$/,
    type: "transient",
  },
  throwsNoError: { body: 'throw { no: "error" };', phase: "ERROR", exitCode: 1, says: "thrown: { no: " },
  throwsLater: {
    body: 'setTimeout(() => { throw new Error("too late"); }, 1); await new Promise(() => {});',
    phase: "ERROR",
    exitCode: 1,
    says: /^Error: too late \(jobs\.ts:\d+\)/,
  },
  rejectsUnheard: {
    body: 'void Promise.reject(new Error("unheard")); await new Promise(() => {});',
    phase: "ERROR",
    exitCode: 1,
    says: /^Error: unheard \(jobs\.ts:\d+\)/,
  },
  throwsWhatCannotBeShown: {
    body: 'const error = new Error("x"); Object.defineProperty(error, "stack", { get() { throw error; } }); throw error;',
    phase: "ERROR",
    exitCode: 1,
    says: "thrown: what cannot be shown",
  },
  rejectsUnheardAndReturns: {
    body: 'void Promise.reject(new Error("unheard")); return 1;',
    phase: "ERROR",
    exitCode: 1,
    says: /^Error: unheard \(jobs\.ts:\d+\)/,
  },
  choosesItsCode: { body: "process.exitCode = 4; return 1;", phase: "ERROR", exitCode: 4, says: "exit code 4" },
  returnsNoJson: {
    body: "return 1n;",
    phase: "ERROR",
    exitCode: 1,
    says: /^TypeError: the result "result" cannot be JSON: .*BigInt/,
  },
  returnsNoFile: {
    body: 'return file("missing.png");',
    phase: "ERROR",
    exitCode: 1,
    says: /^Error: there is no file missing\.png for the result "result" \(exit code 1\)$/,
  },
  hasANamelessResult: {
    body: 'await result("", 1);',
    phase: "ERROR",
    exitCode: 1,
    says: /^TypeError: a result has an empty id \(jobs\.ts:\d+\)/,
  },
  hasTooLongAnId: {
    body: 'await result("é".repeat(100), 1);',
    phase: "ERROR",
    exitCode: 1,
    says: /^RangeError: a result has too long an id: é+… \(jobs\.ts:\d+\)/,
  },
  throwsSeveral: {
    body: 'throw new AggregateError([new Error("the first"), 2], "all of them");',
    phase: "ERROR",
    exitCode: 1,
    says: /^AggregateError: all of them/,
    tells: /One of them: Error: the first\n[^]*One of them: 2$/,
  },
  exits: { body: "process.exit(3);", phase: "ERROR", exitCode: 3, says: "exit code 3" },
  throwsReject: {
    body: 'throw new Reject("no such order");',
    phase: "ERROR",
    exitCode: 65,
    says: "no such order (",
    type: "fatal",
  },
  returnsReject: {
    body: 'return new Reject("no such order");',
    phase: "ERROR",
    exitCode: 65,
    says: "no such order (",
    type: "fatal",
  },
  throwsRelease: { body: 'throw new Release(3600, "closed");', phase: "QUEUED", exitCode: 75, says: "closed (" },
  returnsRelease: { body: "return new Release(3600);", phase: "QUEUED", exitCode: 75, says: "exit code 75" },
  loops: {
    keys: AT_ONCE,
    body: `${NO_TIME} for (;;);`,
    phase: "ERROR",
    signal: "SIGKILL",
    says: "(timeout)",
    cause: "timeout",
  },
  waitsForNothing: {
    keys: AT_ONCE,
    body: `${NO_TIME} await new Promise(() => {});`,
    phase: "ERROR",
    says: "(timeout)",
    cause: "timeout",
  },
  stopsInTime: {
    keys: SOON,
    body: `${NO_TIME} await using _ = { async [Symbol.asyncDispose]() { note("disposed"); } }; try { ${UNTIL_TOLD} } finally { note("finally"); }`,
    phase: "ERROR",
    signal: "SIGTERM",
    says: "(timeout)",
    cause: "timeout",
    wrote: ["began", "finally", "disposed"],
  },
  returnsWhenTold: {
    keys: SOON,
    body: `${NO_TIME} try { ${UNTIL_TOLD} } catch { return "all the same"; }`,
    phase: "ERROR",
    exitCode: 0,
    says: "(timeout)",
    cause: "timeout",
  },
  failsWhenTold: {
    keys: SOON,
    body: `${NO_TIME} try { ${UNTIL_TOLD} } catch { throw new Error("while stopping"); }`,
    phase: "ERROR",
    signal: "SIGTERM",
    says: "Error: while stopping",
    cause: "timeout",
  },
  isAborted: {
    body: UNTIL_TOLD,
    end: (place, id) => place.ok("abort", id),
    phase: "ABORTED",
    signal: "SIGTERM",
    says: "aborted",
    cause: "abort",
  },
  isKilled: {
    body: 'process.kill(process.pid, "SIGKILL"); await new Promise(() => {});',
    phase: "ERROR",
    signal: "SIGKILL",
    cause: "signal",
  },
  isToldFromOutside: {
    body: `setTimeout(() => process.kill(process.pid, "SIGTERM"), 1); ${UNTIL_TOLD}`,
    phase: "ERROR",
    signal: "SIGTERM",
    cause: "signal",
    wrote: ["began"],
  },
};

/** Each way twice: without an exit handler, and with one. */
const MODULE = `import { appendFileSync } from "node:fs";
import { defineJob, file, Reject, Release } from "reeve";

const notes = (name: string) => (what: string) => appendFileSync(name + ".notes", what + "\\n");
${Object.entries(WAYS)
  .flatMap(([name, { keys = "", body }]) => [
    jobOf(name, keys, body),
    jobOf(
      `${name}Handled`,
      `${keys} onExit({ params, message, cause }) { notes("${name}Handled")([cause, params.n, message.body].join(" ")); },`,
      body,
    ),
  ])
  .join("\n")}
${jobOf("waitsIdly", 'timeout: "2s", grace: "5s",', UNTIL_TOLD)}
`;

function jobOf(name: string, keys: string, body: string): string {
  return `export const ${name} = defineJob({ params: { n: "integer" }, ${keys} async run({ signal, deadline, result }) { const note = notes("${name}"); ${body} } });`;
}

/** What does not depend on the runtime is seen once. */
const ON_ONE_FORM = new Set([
  "throwsNoError",
  "returnsNoJson",
  "returnsNoFile",
  "hasANamelessResult",
  "hasTooLongAnId",
  "throwsSeveral",
  "returnsReject",
  "returnsRelease",
  "returnsWhenTold",
]);

/** The jobs for one form, with the way in which each ends. */
function jobsFor(form: Form): (readonly [name: string, way: Way])[] {
  return Object.entries(WAYS).flatMap(([name, way]) => {
    if (form === COMPILED) return [[name, way] as const, [`${name}Handled`, way] as const];
    if (ON_ONE_FORM.has(name)) return [];
    return [way.cause === undefined ? ([name, way] as const) : ([`${name}Handled`, way] as const)];
  });
}

/** For many of them on a busy machine, in milliseconds. */
const PATIENCE_MS = 60_000;

async function endAll(place: Place, ids: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, { end }] of jobsFor(place.form)) {
    if (!end) continue;
    await eventually(`${name} has begun`, () => place.lines(`${name}.notes`).includes("began"), PATIENCE_MS);
    await end(place, existing(ids.get(name)));
  }
}

function check(name: string, way: Way, job: JobDocument, place: Place): void {
  const [attempt] = job.jobInfo.attempts;
  const isHandled = name.endsWith("Handled");
  const { exitCode = null, signal = null, phase } = way;
  const isSignalKnown = way.signal !== undefined || way.exitCode !== undefined;
  expect({
    name,
    phase: job.phase,
    ...(isSignalKnown && { exitCode: attempt?.exitCode, signal: attempt?.signal }),
  }).toEqual({
    name,
    phase,
    ...(isSignalKnown && { exitCode, signal }),
  });
  if (way.says !== undefined) expect(job.errorSummary?.message).toMatch(way.says);
  if (way.tells !== undefined) expect(job.errorSummary?.detail).toMatch(way.tells);
  if (way.type !== undefined) expect(job.errorSummary?.type).toBe(way.type);
  if (way.wrote !== undefined) expect(place.lines(`${name}.notes`).slice(0, way.wrote.length)).toEqual([...way.wrote]);
  const handled = place.lines(`${name}.notes`).filter((line) => line.endsWith(" 7 the body"));
  expect({ name, handled }).toEqual({
    name,
    handled: isHandled && way.cause !== undefined ? [`${way.cause} 7 the body`] : [],
  });
}

async function submitAll(place: Place): Promise<Map<string, string>> {
  const names = jobsFor(place.form).map(([name]) => name);
  const stdin = names.map((job) => `${JSON.stringify({ job, params: { n: 7 }, body: "the body" })}\n`).join("");
  const { stdout } = await place.run(["submit", "--quiet", "--jobs", "jobs.ts", "--batch", "-"], { stdin });
  return new Map(
    stdout
      .trim()
      .split("\n")
      .map((id, index) => [names[index] ?? "", id]),
  );
}

const stopped = async (worker: Running): Promise<void> => {
  worker.signal("SIGTERM");
  expect((await worker.ended).signal).toBe("SIGTERM");
};

test("a function that only waits for its signal takes no processor meanwhile", async () => {
  await using place = new Place(COMPILED);
  place.write("jobs.ts", MODULE);
  const id = await place.submit("--jobs", "jobs.ts", "waitsIdly", "--param", "n=7");
  await place.drain("--jobs", "jobs.ts");
  const [attempt] = (await place.show(id)).jobInfo.attempts;
  expect((attempt?.cpuUser ?? 9) + (attempt?.cpuSystem ?? 9)).toBeLessThan(0.7);
});

forEachForm("a function", (form) => {
  test("ends in each of its ways as a command would, with and without an exit handler", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", MODULE);
    const ids = await submitAll(place);
    const worker = await place.worker(["--jobs", "jobs.ts", "--concurrency", "4"]);
    await endAll(place, ids);
    const over = () => worker.log().filter(({ event }) => event === "job ended").length === ids.size;
    await eventually("all are over", over, PATIENCE_MS);
    // The process of each is gone, and its memory with it.
    expect(place.jobProcesses()).toEqual([]);
    const jobs = new Map((await place.list()).map((job) => [job.jobId, job]));
    for (const [name, way] of jobsFor(form)) check(name, way, existing(jobs.get(existing(ids.get(name)))), place);
    const thrown = existing(jobs.get(existing(ids.get("throws"))));
    const lines = MODULE.split("\n");
    const [, line = ""] = /jobs\.ts:(\d+)\)/.exec(thrown.errorSummary?.message ?? "") ?? [];
    expect(lines[Number(line) - 1]).toContain("export const throws =");
    expect(thrown.errorSummary?.detail).toMatch(/TypeError: no picture\n\s+at .*jobs\.ts:\d+:\d+/);
    expect(thrown.errorSummary?.detail).not.toMatch(/src\/functions|work\.ts/);
    expect(await place.ok("why", existing(ids.get("throwsRelease")))).toMatch(/It is due at .* \(in 59m/);
    expect(await place.ok("logs", thrown.jobId)).toContain("TypeError: no picture");
    await stopped(worker);
  });

  test("is told when its worker stops: it ends within the grace and is put back; with an exit handler that is run", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", MODULE);
    const args = ["--jobs", "jobs.ts", "--param", "n=7", "--body", "the body"];
    const [plain, handled] = [
      await place.submit("isAborted", ...args),
      await place.submit("isAbortedHandled", ...args),
    ];
    const worker = await place.worker(["--jobs", "jobs.ts", "--concurrency", "2"]);
    const begun = () => ["isAborted", "isAbortedHandled"].every((name) => place.lines(`${name}.notes`).length === 1);
    await eventually("both have begun", begun, PATIENCE_MS);
    await stopped(worker);
    expect([await place.phase(plain), await place.phase(handled)]).toEqual(["QUEUED", "QUEUED"]);
    expect(place.lines("isAbortedHandled.notes")).toEqual(["began", "stop 7 the body"]);
    const [attempt] = (await place.show(plain)).jobInfo.attempts;
    expect(attempt).toMatchObject({ cause: "stop", signal: "SIGTERM" });
    expect(place.jobProcesses()).toEqual([]);
  });

  if (form !== COMPILED) return;

  test.skipIf(!BOUNDS_MEMORY)(
    "that needs more memory than it may have ends by that, and is cleaned up after",
    async () => {
      await using place = new Place(form);
      const run = "run() { const all = []; for (let n = 0; ; n++) all.push(new Uint8Array(1e6).fill(n)); }";
      const onExit = 'onExit({ cause }) { appendFileSync("handled", cause + "\\n"); }';
      place.write(
        "jobs.ts",
        `import { appendFileSync } from "node:fs";
import { defineJob } from "reeve";
export const eats = defineJob({ limits: { memory: "200MB" }, ${run}, ${onExit} });`,
      );
      const id = await place.submit("--jobs", "jobs.ts", "eats");
      await place.drain("--jobs", "jobs.ts");
      const { phase, errorSummary, jobInfo } = await place.show(id);
      expect({ phase, attempts: jobInfo.attempts }).toMatchObject({
        phase: "ERROR",
        attempts: [{ signal: "SIGKILL", cause: "memory" }],
      });
      expect(errorSummary?.message).toContain("out of memory");
      expect(place.lines("handled")).toEqual(["memory"]);
    },
  );

  test("that is lost with its worker has its exit handler run by the next", async () => {
    await using place = new Place(form);
    place.write("jobs.ts", MODULE);
    const id = await place.submit("--jobs", "jobs.ts", "isAbortedHandled", "--param", "n=7", "--body", "the body");
    const worker = await place.worker(["--jobs", "jobs.ts"]);
    await eventually("it has begun", () => place.lines("isAbortedHandled.notes").length === 1);
    worker.signal("SIGKILL");
    await worker.ended;
    const next = await place.worker(["--jobs", "jobs.ts"]);
    await eventually("it was cleaned up, and runs again", () => place.lines("isAbortedHandled.notes").length === 3);
    expect(place.lines("isAbortedHandled.notes")).toEqual(["began", "lost 7 the body", "began"]);
    await place.ok("abort", id);
    await stopped(next);
  });
});
