import { expect, test } from "bun:test";
import { inlineBody } from "../../src/config/message-body.ts";
import { RESOURCE_NAMES } from "../../src/config/resources.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bytes, desk, type Desk, type Done } from "./desk.ts";

const batch = (work: Desk, lines: readonly string[], args: readonly string[] = []): Promise<Done> =>
  work.run(["submit", "--quiet", "--batch", "-", ...args], { stdin: lines.join("\n") });

const idsOf = ({ stdout }: Done): string[] => stdout.trim().split("\n");

test("every line is a job, with the options' names as keys", async () => {
  using work = desk();
  const done = await batch(work, [
    '{"command":["a"],"name":"first","priority":2,"run-id":"r","env":{"X":"1"},"body":"b","max_attempts":"3"}',
    "   ",
    '{"command":["b"],"after":["first"],"delay":"1h","hold":false,"timeout":5,"secret-env":{"S":"s"}}',
    '{"command":["c"],"after":"first","hold":true}\r',
    "",
  ]);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  const { store } = work.at;
  const jobs = idsOf(done).map((id) => store.jobs.byPrefix(id));
  expect(jobs).toMatchObject([
    { phase: "QUEUED", priority: 2, runId: "r", waiting: 0 },
    { phase: "QUEUED", waiting: 1, availableAt: expect.any(Number) },
    { phase: "PENDING", waiting: 1 },
  ]);
  expect(jobs.map(({ seq }) => store.jobs.inputs(seq))).toMatchObject([
    { command: ["a"], body: inlineBody(bytes("b")), context: { environment: { X: "1" }, limits: { maxAttempts: 3 } } },
    { command: ["b"], context: { secrets: ["S"], limits: { timeoutMs: 5000 } } },
    { command: ["c"] },
  ]);
});

test("limits and the exit handler are keys like any other", async () => {
  using work = desk();
  const done = await batch(work, [
    '{"command":["a"],"exit_handler":["./c.sh","a"],"keep-descendants":true,"isolate":"none","output_limit":4096}',
    '{"command":["b"],"limits":{"memory":"1GB","nice":5,"optional":["memory"]},"timestamps":true,"finish_timeout":1.5}',
    '{"command":["c"],"limit_optional":true,"limits":{"cpu":"2"},"outlive":true}',
  ]);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  const { store } = work.at;
  expect(idsOf(done).map((id) => store.jobs.inputs(store.jobs.byPrefix(id).seq).context)).toMatchObject([
    { exitHandler: ["./c.sh", "a"], limits: { keepDescendants: true, isolate: "none", outputLimitBytes: 4096 } },
    {
      limits: {
        timestamps: true,
        finishMs: 1500,
        resources: { memoryBytes: 1_000_000_000, nice: 5, optional: ["memoryBytes"] },
      },
    },
    { limits: { outlive: true, resources: { cpus: 2, optional: RESOURCE_NAMES } } },
  ]);
});

test("one wrong line keeps all from being submitted, and each is named", async () => {
  using work = desk();
  const wrong = [
    ['{"command":["a"]', "the line is not valid JSON"],
    ["[1]", "the line must be a JSON object"],
    ['{"command":["a"],"prio":1}', '"prio" is not a key of a job'],
    ['{"command":["a"],"prioritty":1}', '"prioritty" is not a key of a job, did you mean `priority`?'],
    ['{"command":"a"}', "`command` must be a list of texts"],
    ['{"command":[]}', "nothing to submit"],
    ['{"command":["a\\u0000"]}', "argument 0 of the command holds a NUL"],
    ['{"command":["a"],"after":["nobody"]}', "no job nobody in this store"],
    ['{"command":["a"],"delay":"later"}', '`delay`: "later" is not a duration'],
  ] as const;
  const done = await batch(work, ['{"command":["good"]}', ...wrong.map(([line]) => line)]);
  expect(done).toMatchObject({ code: 2, stdout: "" });
  expect(done.stderr).toContain(`nothing was submitted, since ${wrong.length} lines are wrong`);
  for (const [index, [, sentence]] of wrong.entries()) expect(done.stderr).toContain(`stdin:${index + 2}: ${sentence}`);
  expect(work.at.store.jobs.countByPhase().size).toBe(0);
});

test("wrong limits are named like any other key", async () => {
  using work = desk();
  const wrong = [
    ['{"command":["a"],"limits":{"memry":1}}', "`limits` memry is not a limit, did you mean `memory`?"],
    ['{"command":["a"],"limits":5}', "`limits` must be an object with a value for each name"],
    ['{"command":["a"],"limts":{}}', '"limts" is not a key of a job, did you mean `limits`?'],
    ['{"command":["a"],"outlive":"yes"}', "`outlive` must be true or false"],
    ['{"command":["a"],"exit_handler":"c.sh"}', "`exit_handler` must be a list of texts"],
  ] as const;
  const { code, stderr } = await batch(
    work,
    wrong.map(([line]) => line),
  );
  expect(code).toBe(2);
  for (const [index, [, sentence]] of wrong.entries()) expect(stderr).toContain(`stdin:${index + 1}: ${sentence}`);
});

test("many wrong lines are counted", async () => {
  using work = desk();
  using here = temporaryDirectory();
  const file = here.write("jobs.ndjson", "{}\n".repeat(25));
  const { code, stderr } = await work.reeve("submit", "--batch", file);
  expect(code).toBe(2);
  expect(stderr.match(/jobs\.ndjson:\d+: /g)).toHaveLength(10);
  expect(stderr).toContain("… and 15 more");
});

test("a name is known to later lines only, and given once", async () => {
  using work = desk();
  const forward = await batch(work, ['{"command":["a"],"after":["b"]}', '{"command":["b"],"name":"b"}']);
  expect(forward).toMatchObject({ code: 2, stderr: expect.stringContaining("stdin:1: no job b in this store") });
  const itself = await batch(work, ['{"command":["a"],"name":"a","after":["a"]}']);
  expect(itself).toMatchObject({ code: 2 });
  const twice = await batch(work, ['{"command":["a"],"name":"a"}', '{"command":["b"],"name":"a"}']);
  expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining('the name "a" is already that of line 1') });
});

test("what waits for a job that was there already waits for that one", async () => {
  using work = desk();
  const there = await work.submit({ dedupeKey: "k" });
  const done = await batch(work, ['{"command":["a"],"name":"a","dedupe":"k"}', '{"command":["b"],"after":["a"]}']);
  const [first, second = ""] = idsOf(done);
  expect(first).toBe(there.id);
  expect(work.at.store.jobs.byId(second)).toMatchObject({ waiting: 1 });
});

test("parameters keep the digits that they were written with", async () => {
  using work = desk();
  using here = temporaryDirectory();
  const params = 'params.n = { type = "number" }\nparams.l = { type = "strings" }\nparams.b = { type = "boolean" }';
  here.write("reeve.toml", `[jobs.j]\ncommand = ["true"]\n${params}\n`);
  const line =
    '{"job":"j","params":{"n":1.50,"l":["x","y"],"b":true}}\n{"job":"j","params":{"n":12345678901234567890}}';
  const done = await work.run(["submit", "--batch", "-"], { cwd: here.path, stdin: line });
  const { store } = work.at;
  const [first, second] = idsOf(done).map((id) => store.jobs.inputs(store.jobs.byPrefix(id).seq).parameters);
  expect(first?.map(({ name, values }) => [name, ...values])).toEqual([["n", "1.50"], ["l", "x", "y"], ["b", "true"]]); // prettier-ignore
  expect(second?.map(({ values }) => values)).toEqual([["12345678901234567890"]]);
});

test("an argument that no program could be started with is refused", async () => {
  using work = desk();
  const done = await batch(work, [JSON.stringify({ command: ["echo", "x".repeat(200_000)] })]);
  expect(done.code).toBe(2);
  expect(done.stderr).toContain("stdin:1: argument 1 of the command is longer than the 131071 bytes");
  expect(done.stderr).toContain("--body-file");
});

test("a batch that is not UTF-8, and one with nothing in it", async () => {
  using work = desk();
  const bad = await work.run(["submit", "--batch", "-"], { stdin: new Uint8Array([0x7b, 0xff, 0x7d]) });
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining("not valid UTF-8") });
  expect(await batch(work, [""])).toMatchObject({ code: 0, stdout: "" });
});
