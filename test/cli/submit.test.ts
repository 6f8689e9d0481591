import { describe, expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { inlineBody } from "../../src/config/message-body.ts";
import { DEFAULT_LIMITS } from "../../src/config/definition.ts";
import { RESOURCE_NAMES } from "../../src/config/resources.ts";
import { existing, temporaryDirectory } from "../support/temporary.ts";
import { bytes, desk, type Desk } from "./desk.ts";

const inputsOf = ({ at: { store } }: Desk, id: string) => store.jobs.inputs(existing(store.jobs.byId(id.trim())).seq);
const jobOf = ({ at: { store } }: Desk, id: string) => existing(store.jobs.byId(id.trim()));

describe("a command", () => {
  test("is kept as it is given, with where and how it is to run", async () => {
    using work = desk();
    using here = temporaryDirectory();
    const args = ["submit", "--run-id", "012", "--dedupe", "007", "--priority", "-3", "--timeout", "90", "--grace=1s"];
    const more = ["--max-attempts", "4", "--output", "separate", "--execution-duration", "1500ms", "--body", "-x"];
    const variables = ["--env", "A=1=2", "--env", "FROM_CALLER", "--secret-env", "TOKEN=abc"];
    const environment = { FROM_CALLER: "yes", NOT_ASKED: "no" };
    const command = ["--", "echo", "{param.x}", "--", "007", ""];
    const done = await work.run([...args, ...more, ...variables, ...command], { environment, cwd: here.path });
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(/^[a-z2-7]{20}\n$/);
    expect(done.stderr).toContain("no worker is running");
    expect(jobOf(work, done.stdout)).toMatchObject({
      phase: "QUEUED",
      runId: "012",
      priority: -3,
      executionDuration: 2,
    });
    const inputs = inputsOf(work, done.stdout);
    expect(inputs).toMatchObject({ command: command.slice(1), body: inlineBody(bytes("-x")), parameters: [] });
    const {
      kind,
      cwd,
      environment: kept,
      secrets,
      limits,
    } = existing(inputs.context.kind === "command" ? inputs.context : null);
    expect({ kind, cwd, secrets }).toEqual({ kind: "command", cwd: realpathSync(here.path), secrets: ["TOKEN"] });
    expect(kept).toMatchObject({ A: "1=2", FROM_CALLER: "yes", TOKEN: "abc", PATH: expect.any(String) });
    expect(kept).not.toHaveProperty("NOT_ASKED");
    expect(limits).toMatchObject({ timeoutMs: 90_000, graceMs: 1000, maxAttempts: 4, output: "separate" });
    const again = await work.reeve("submit", "--quiet", "--dedupe", "007", "--", "true");
    expect(again).toMatchObject({ code: 0, stdout: done.stdout, stderr: "" });
  });

  test("has the limits and the exit handler that are asked for", async () => {
    using work = desk();
    const handler = ["--exit-handler", "./clean.sh", "--exit-handler", "-f", "--exit-handler=--grace"];
    const stop = ["--exit-handler-timeout", "5s", "--finish-timeout", "2", "--term-exit-zero", "completed"];
    const manner = ["--stop-signal", "INT", "--isolate", "pid", "--outlive", "--output-limit", "1MB", "--timestamps"];
    const limits = ["--limit", "memory=1GiB", "--limit", "cpu-time=90", "--limit", "umask=022", "--limit-optional"];
    const done = await work.reeve("submit", ...handler, ...stop, ...manner, ...limits, "--", "true");
    const { context } = inputsOf(work, done.stdout);
    expect(context).toMatchObject({
      exitHandler: ["./clean.sh", "-f", "--grace"],
      limits: {
        exitHandlerMs: 5000,
        finishMs: 2000,
        termExitZero: "completed",
        stopSignal: "INT",
        isolate: "pid",
        outlive: true,
        outputLimitBytes: 1_000_000,
        timestamps: true,
        keepDescendants: false,
        resources: { memoryBytes: 1024 ** 3, cpuSeconds: 90, umask: 0o22, optional: RESOURCE_NAMES },
      },
    });
    const plain = inputsOf(work, (await work.reeve("submit", "--", "true")).stdout).context;
    expect(plain).toMatchObject({ limits: DEFAULT_LIMITS });
    expect(plain).not.toHaveProperty("exitHandler");
  });

  test("may be held, delayed, made to expire, and to wait for another", async () => {
    using work = desk();
    const first = (await work.reeve("submit", "--hold", "--", "true")).stdout.trim();
    expect(jobOf(work, first).phase).toBe("PENDING");
    const before = Date.now();
    const args = ["--after", first.slice(0, 6), "--delay", "1h", "--expires", "2h"];
    const second = jobOf(work, (await work.reeve("submit", ...args, "--", "true")).stdout);
    expect(second).toMatchObject({ phase: "QUEUED", waiting: 1 });
    expect((second.availableAt ?? 0) - before).toBeWithin(3_600_000, 3_660_000);
    expect((second.expiresAt ?? 0) - before).toBeWithin(7_200_000, 7_260_000);
  });

  test("a body comes from stdin, byte by byte", async () => {
    using work = desk();
    const body = new Uint8Array([0, 255, 10, 128]);
    const done = await work.run(["submit", "--body-file", "-", "--", "cat"], { stdin: body });
    expect(inputsOf(work, done.stdout).body).toEqual(inlineBody(body));
  });

  test.each([
    [["submit"], "nothing to submit"],
    [["submit", "--", ""], "the command's program is an empty text"],
    [["submit", "--param", "a=1", "--", "x"], 'the parameter "a" is given to a plain command, which has none'],
    [["submit", "resise"], 'no definition "resise"'],
    [["submit", "x", "--", "true"], 'both the definition "x" and a command are given'],
    [["submit", "--cwd", "/no/such/place", "--", "x"], "the directory /no/such/place is not there"],
    [["submit", "--env", "NOT_SET_ANYWHERE", "--", "x"], "--env NOT_SET_ANYWHERE: there is no such variable here"],
    [["submit", "--timeout", "soon", "--", "x"], '--timeout: "soon" is not a duration'],
    [["submit", "--max-attempts", "0", "--", "x"], "--max-attempts must be at least 1, not 0"],
    [["submit", "--priority", "1.5", "--", "x"], '--priority must be a whole number, not "1.5"'],
    [
      ["submit", "--output", "logs", "--", "x"],
      '--output must be "log" or "separate", not "logs", did you mean `log`?',
    ],
    [["submit", "--exit-handler", "", "--", "x"], "the exit handler's program is an empty text"],
    [["submit", "--exit-handler-timeout", "0", "--", "x"], "--exit-handler-timeout must be longer than 0"],
    [["submit", "--isolate", "net", "--", "x"], '--isolate must be "none" or "pid", not "net"'],
    [["submit", "--stop-signal", "TRM", "--", "x"], '--stop-signal must be one of "TERM"'],
    [["submit", "--output-limit", "4G", "--", "x"], '--output-limit: "4G" is not a size'],
    [["submit", "--limit", "memory", "--", "x"], '--limit must be written NAME=VALUE, not "memory"'],
    [["submit", "--limit", "memry=1", "--", "x"], "--limit memry is not a limit, did you mean `memory`?"],
    [["submit", "--limit", "nice=30", "--", "x"], "--limit nice must be at most 19, not 30"],
    [
      ["submit", "--keep-descendants", "--max-attempts", "2", "--", "x"],
      "`keep-descendants` goes with one attempt only",
    ],
    [["submit", "--dedupe", "", "--", "x"], "the dedupe key is empty"],
    [["submit", "--batch", "/no/such/file"], "--batch /no/such/file: there is no such file"],
    [["submit", "--batch", "-", "--priority", "1"], "--priority cannot stand beside --batch"],
    [["submit", "--batch", "-", "--limit", "cpu=1"], "--limit cannot stand beside --batch"],
    [["submit", "--batch", "-", "--", "x"], "--batch takes its jobs from the file, but a definition or a command"],
  ])("%j is refused", async (args, sentence) => {
    using work = desk();
    const done = await work.reeve(...args);
    expect(done).toMatchObject({ code: 2, stdout: "" });
    expect(done.stderr).toStartWith(`reeve: ${sentence}`);
    expect(work.at.store.jobs.countByPhase().size).toBe(0);
  });

  test("an id to wait for must be there", async () => {
    using work = desk();
    expect(await work.reeve("submit", "--after", "zzz", "--", "x")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("no job zzz in this store"),
    });
  });
});

const DEFINITIONS = `
[jobs.resize]
command = ["resize", "{param.image}", "{param.width}"]
execution_duration = "5m"
params.image = { type = "file", required = true }
params.width = { type = "integer", default = 800, min = 1 }
params.token = { secret = true }
`;

describe("a definition", () => {
  test("has its parameters checked, completed and kept", async () => {
    using work = desk();
    using here = temporaryDirectory();
    here.write("reeve.toml", DEFINITIONS);
    here.write("a.png", "");
    const args = ["submit", "resize", "--file", "image=@a.png", "--param", "TOKEN=hush"];
    const done = await work.run(args, { cwd: here.path });
    expect(jobOf(work, done.stdout)).toMatchObject({ definition: "resize", executionDuration: 300 });
    expect(inputsOf(work, done.stdout)).toMatchObject({
      command: null,
      context: { kind: "definition" },
      parameters: [
        { name: "image", values: [realpathSync(here.of("a.png"))], file: true, secret: false },
        { name: "width", values: ["800"], file: false, secret: false },
        { name: "token", values: ["hush"], file: false, secret: true },
      ],
    });
    const shown = await work.reeve("show", done.stdout.trim());
    expect(shown.stdout).toContain("token=***");
    expect(shown.stdout).not.toContain("hush");
  });

  test.each([
    [["resise"], 'no definition "resise", did you mean `resize`?'],
    [["resize", "--file", "image=@none.png"], 'none.png for the parameter "image" is not there'],
    [["resize", "--param", "image=a.png"], "The parameter `image` is a file and must be given by its path."],
    [["resize", "--param", "width=0", "--file", "image=@reeve.toml"], "The parameter `width` must be at least 1"],
    [["resize", "--param", "size=1", "--file", "image=@reeve.toml"], 'has no parameter "size"'],
    [["resize", "--limit", "cpu=1"], "`limit` is for plain commands; the definition resize has its own"],
    [["resize", "--exit-handler", "x"], "`exit-handler` is for plain commands"],
    [["resize", "--timeout", "1m"], "`timeout` is for plain commands; the definition resize has its own"],
  ])("%j is refused", async (args, sentence) => {
    using work = desk();
    using here = temporaryDirectory();
    here.write("reeve.toml", DEFINITIONS);
    const done = await work.run(["submit", ...args], { cwd: here.path });
    expect(done).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(sentence) });
  });
});

test("the remark on workers goes by their locks", async () => {
  using work = desk();
  const worker = await work.worker();
  expect((await work.reeve("submit", "--", "true")).stderr).toBe("");
  worker.die();
  expect((await work.reeve("submit", "--", "true")).stderr).toContain("no worker is running on this store");
  expect((await work.reeve("submit", "--hold", "--", "true")).stderr).toBe("");
});

test("--wait exits as the job did", async () => {
  using work = desk();
  const worker = await work.worker();
  const waiting = work.start(["submit", "--wait", "--", "false"]);
  const done = await Promise.race([waiting.ended, firstJob(work)]);
  expect(done).toBeUndefined();
  await worker.end(await worker.begin(), { ending: { kind: "exited", code: 5 } }, { phase: "ERROR" });
  expect(await waiting.ended).toMatchObject({ code: 5 });
});

async function firstJob(work: Desk): Promise<void> {
  const { store } = work.at;
  const seen = Promise.withResolvers<void>();
  const unwatch = store.watch("jobs", () => store.jobs.bySeq(1) && seen.resolve());
  if (store.jobs.bySeq(1)) seen.resolve();
  await seen.promise;
  unwatch();
}
