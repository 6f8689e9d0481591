import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, within } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { Consumer, HOSTS, type Ended, type Host } from "./consumer.ts";

setDefaultTimeout(60_000);

let consumer: Consumer;
let server: SqsServer;
beforeAll(async () => {
  consumer = Consumer.install();
  for (const [index, { program }] of EXAMPLES.entries()) consumer.write(`programs/readme-${index}.ts`, program);
  server = await SqsServer.start();
});
afterAll(async () => {
  consumer[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
/** The programs of its section, each with what it prints where that is told. */
const EXAMPLES = examplesOf(/\n### As a library\n([^]*?)\n### /.exec(README)?.[1] ?? "");

function examplesOf(section: string): { readonly program: string; readonly prints: string | null }[] {
  const blocks = section.matchAll(/^```ts\n([^]*?)^```\n(?:\n```text\n([^]*?)^```\n)?/gm);
  return [...blocks].map(([, program = "", prints]) => ({ program, prints: prints ?? null }));
}

/** What a program told that came to its end without a word on stderr. */
function toldBy({ code, signal, stderr, told }: Ended): unknown[] {
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  return told;
}

/** How the error of a job that failed on the worker "one-shot" reads. */
const failure = (attempt: number, why: string) => ({
  worker: "one-shot",
  attempt,
  text: expect.stringMatching(new RegExp(`^worker one-shot: job [a-z2-7]{20} failed at attempt ${attempt}: ${why}$`)),
});

const error = (attempt: number, why: string) => `worker resizer: job resize ID failed at attempt ${attempt}: ${why}`;

const run = async (host: Host, program: string, ...args: string[]): Promise<unknown[]> =>
  toldBy(await consumer.run(consumer.place(host), program, ...args));

describe.each(HOSTS.map((host) => [host.name, host] as const))("a program on %s", (_name, host) => {
  test("has two workers with stores of their own, and children of its own", async () => {
    const told = await run(host, "two-workers.ts");
    const seen = ["worker started", "job started", "job started", "job ended", "job ended", "worker ended"];
    const counts = { completed: 2, failed: 0, putBack: 0 };
    for (const name of ["anna", "bert"]) {
      const outputs = [`one by ${name}`, `two by ${name}`];
      expect(told).toContainEqual({ name, counts, outputs, jobs: 2, seen: expect.arrayContaining(seen) });
    }
    expect(told.slice(2)).toEqual([
      { adopted: false, isOwnAlive: true },
      { code: null, signal: "SIGKILL" },
    ]);
  });

  test("takes one job at a time, and is told how it ended", async () => {
    const done = { definition: null, attempt: 1, exitCode: 0, signal: null, cause: null, willRunAgain: false };
    const common = { ...done, isTyped: true, failure: null, delay: null, count: 1, ran: true };
    const again = { willRunAgain: true, phase: "QUEUED", verdict: "release" };
    const buried = { willRunAgain: false, phase: "ERROR", verdict: "bury" };
    expect(await run(host, "one-shot.ts")).toEqual([
      null,
      { ...common, phase: "COMPLETED", verdict: "acknowledge" },
      { ...common, ...again, exitCode: 3, delay: expect.any(Number), failure: failure(1, "exit code 3") },
      { ...common, ...buried, exitCode: 3, attempt: 2, count: 2, failure: failure(2, "exit code 3") },
      { ...common, ...again, exitCode: 75, delay: 50 },
      { ...common, ...buried, exitCode: 75, attempt: 2, count: 2, failure: failure(2, "enough of it") },
      { trouble: expect.stringMatching(/^what is to become of job [a-z2-7]{20} was not decided: no idea$/) },
      { ...common, ...buried, exitCode: 76, failure: failure(1, "exit code 76") },
      { isExiting: false },
      { ...common, ...again, exitCode: null, signal: "SIGTERM", cause: "stop", delay: 0 },
      { isExiting: true, taken: null },
    ]);
  });

  test("steers jobs, and is told what is wrong", async () => {
    expect(await run(host, "steering.ts")).toEqual([
      { phase: "PENDING", early: null },
      { phase: "COMPLETED", runId: "mine", said: "held\n" },
      { nothing: null, none: null },
      { phase: "ABORTED", why: "aborted by the test" },
      expect.arrayContaining(["abort asked"]),
      { retryOf: true, listed: expect.any(Number) },
      { deleted: null },
      { waits: true, phase: "COMPLETED" },
      { refused: "nothing to submit", exitCode: 2 },
      { refused: 'no definition "nothing"', exitCode: 2 },
      { refused: expect.stringContaining('job.timeout "soon" is not a duration'), exitCode: 78 },
      { refused: "no job zzzz in this store", exitCode: 3 },
      { refused: 'a worker cannot be called "no/name"', exitCode: 2 },
      {
        refused: expect.stringMatching(/definitions\.a\.maxAttempts must be[^]*definitions\.a\.command\.0 /),
        exitCode: 78,
      },
      { counts: expect.objectContaining({ completed: 3 }), ranAny: true },
    ]);
  });

  test("listens, and what a listener throws is its own", async () => {
    expect(await run(host, "listening.ts")).toEqual([
      { heard: true, phase: "COMPLETED", uncaught: "Error: a listener's own" },
      { heard: 1 },
    ]);
  });

  test("is as the README has it", async () => {
    expect(EXAMPLES.map(({ prints }) => prints !== null)).toEqual([true, false]);
    const { stdout, stderr } = await consumer.run(consumer.place(host), "readme-0.ts");
    expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: EXAMPLES[0]?.prints?.trim() ?? "", stderr: "" });
  });

  test("stays as it was, and has nothing left open by what it is done with", async () => {
    expect(await run(host, "leaving.ts")).toEqual([{ changed: [] }, { more: 0, listeners: 0 }]);
  });

  test("has nothing printed", async () => {
    expect(await consumer.run(consumer.place(host), "silent.ts")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  test("ends by a signal as it would without us, and what it left is recovered", async () => {
    const place = consumer.place(host);
    const program = consumer.start(place, "signals.ts", "untouched");
    const started = Object(await within("the job has started", program.next()));
    expect(started).toEqual({ pid: expect.any(Number), listeners: 0 });
    process.kill(program.pid, "SIGTERM");
    expect(await program.ended).toMatchObject({ signal: "SIGTERM" });
    expect(isLiving(started.pid)).toBe(true);
    expect(toldBy(await consumer.run(place, "recovering.ts"))).toEqual([{ recovered: 1 }, { phase: "ABORTED" }]);
    expect(isLiving(started.pid)).toBe(false);
  });

  test("has signals handled where it asks for that", async () => {
    const program = consumer.start(consumer.place(host), "signals.ts", "handled");
    const started = Object(await within("the job has started", program.next()));
    process.kill(program.pid, "SIGTERM");
    expect(await within("it is put back", program.next())).toEqual({
      putBack: 1,
      stoppedBy: "SIGTERM",
      isExiting: true,
      phase: "QUEUED",
    });
    expect(await program.ended).toMatchObject({ signal: "SIGTERM", stderr: "" });
    await eventually("the job is gone", () => !isLiving(started.pid));
  });

  test("manages processes without a store", async () => {
    const asked = { exitCode: 3, signal: null, output: expect.stringMatching(/asked\n$/), left: null };
    const killed = { exitCode: null, signal: "SIGQUIT", output: "", left: null };
    const told = await run(host, "processes.ts");
    expect(told.slice(0, 5)).toEqual([
      { count: 0 },
      { count: 1 },
      { exitCode: 5, signal: null, output: "in err\n", left: null },
      { told: 1, count: 0 },
      { told: 0 },
    ]);
    expect([told[5], told[8]]).toEqual([{ count: 2 }, { told: 2 }]);
    expect(told.slice(6, 8)).toEqual(expect.arrayContaining([asked, killed]));
    expect(told.slice(9)).toEqual([
      { size: 1_000_000 },
      { isCut: true, ends: true },
      { count: 2, threw: "Error: a callback's own", left: expect.any(Number) },
      { failed: "ENOENT" },
      { living: 0, seen: 1, files: 0 },
    ]);
  });

  test("runs functions of a module, each in a process of its own", async () => {
    expect(await run(host, "functions.ts")).toEqual([
      { result: { said: "hello youhello you", body: "a body" }, isOwnProcess: true },
      { attempts: 2, phase: "COMPLETED" },
      { phase: "ERROR", isNamed: true },
      ["greets nobody", "greets nobody", "greets you"],
      expect.stringMatching(/programs\/jobs\.ts:3: greet has a name that is taken: it is in definitions as well$/),
      'The parameter `times` must be an integer (given: "often").',
    ]);
  });

  test("has messages routed by a module", async () => {
    const url = `${server.proxy.origin}/000000000000/${await server.createQueue()}`;
    expect(await run(host, "routing.ts", url)).toEqual([
      { isSame: true, definition: "shout", result: "SOME TEXT" },
      { isSame: true, definition: "whisper", result: "some text" },
    ]);
  });

  test("works on an SQS queue", async () => {
    const [name, dead] = await server.createPair({}, 2);
    const url = `${server.proxy.origin}/000000000000/${name}`;
    const sent = { isSame: true, said: "a.png 0\n", body: '{"job":"resize","params":{"image":"a.png"}}' };
    const done = {
      phase: "COMPLETED",
      exitCode: 0,
      willRunAgain: false,
      verdict: "acknowledge",
      from: true,
      error: null,
    };
    const last = "exit code 4; delivery 2 was the last that its queue allows";
    const failed = { from: true, body: '{"job":"resize","params":{"image":"b.png","code":"4"}}' };
    expect(await run(host, "sqs.ts", url, `${server.proxy.origin}/000000000000/nowhere`)).toEqual([
      { isFifo: false, maxReceiveCount: 2, allowsRetries: true },
      { ...done, ...sent, receiveCount: 1 },
      null,
      { ...failed, phase: "QUEUED", exitCode: 4, willRunAgain: true, verdict: "release", receiveCount: 1, error: error(1, "exit code 4") }, // prettier-ignore
      { ...failed, phase: "ERROR", exitCode: 4, willRunAgain: false, verdict: "bury", receiveCount: 2, error: error(2, last) }, // prettier-ignore
      { from: true, body: expect.stringContaining("c.png"), phase: "ERROR", exitCode: 9, willRunAgain: false, verdict: "bury", receiveCount: 1, error: error(1, "nine is no code") }, // prettier-ignore
      { worker: "lost", exitCode: 69, text: expect.stringMatching(/^worker lost: .*nowhere/) },
    ]);
    const letters = await server.waiting(dead);
    expect(letters.map(({ messageAttributes }) => messageAttributes["reeve.reason"]?.["StringValue"])).toEqual([last, "nine is no code"]); // prettier-ignore
  });
});

/** As strict as can be, and the declarations of packages are looked at, too. */
const STRICT = {
  target: "ESNext",
  lib: ["ESNext"],
  noEmit: true,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  allowImportingTsExtensions: true,
  skipLibCheck: false,
  types: ["bun-types"],
};

const project = (name: string, options: object, include: readonly string[]): string =>
  consumer.write(name, JSON.stringify({ compilerOptions: { ...STRICT, ...options }, include }));

describe("the types of the package", () => {
  test.each(["NodeNext", "Preserve"])("have no errors in a strict project (module: %s)", (module) => {
    const file = project(`tsconfig.${module}.json`, { module }, ["programs"]);
    expect(consumer.check(["tsc", "-p", file])).toBe("");
    expect(consumer.check(["bun", "check", "--no-script", "-p", file])).toBe("");
  });

  test("have none for Deno", () => {
    consumer.write("deno.json", JSON.stringify({ nodeModulesDir: "manual", compilerOptions: { strict: true } }));
    expect(consumer.check(["deno", "check", join("programs", "typed.ts"), join("programs", "sqs.ts")])).toBe("");
  });

  test("know wrong names", () => {
    consumer.write(
      "wrong.ts",
      `import { JobStore, Worker } from "reeve";
const store = await JobStore.open("store");
await store.submit({ command: ["true"], timout: "10m" });
new Worker({ store }).on("job endet", () => {});
store.job("id")?.faze;
`,
    );
    const file = project("tsconfig.wrong.json", { module: "NodeNext" }, ["wrong.ts"]);
    const errors = consumer.check(["tsc", "-p", file, "--pretty", "false"]);
    expect([...errors.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => line)).toEqual(["3", "4", "5"]);
  });
});
