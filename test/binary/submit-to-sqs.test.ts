import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { ENVIRONMENT, SqsServer, type HeldMessage } from "../support/sqs-server.ts";
import { COMPILED, forEachForm, testWhere } from "./forms.ts";
import { describeDone, Place, type Done, type Manner } from "./place.ts";

const DEFINITIONS = `
[queues.local]
type = "sqlite"

[jobs.resize]
command = ["echo", "{param.image}", "{param.width}", "{body.job}", "{attr.SentTimestamp}"]
params.image = { type = "string", required = true }
params.width = { type = "integer", default = 800, min = 1, max = 4000 }
params.tags = { type = "strings", default = [] }
params.token = { type = "string", secret = true }

[jobs.order]
command = ["order", "{param.kind}", "{param.at}", "{attr.SenderId}"]
params.kind = { type = "string", required = true, from = "attr.kind" }
params.at = { type = "integer", required = true, from = "attr.SentTimestamp" }

[jobs.scan]
command = ["scan", "{param.map}"]
params.map = { type = "file", required = true }
`;

const ELSEWHERE = `
[jobs.other]
command = ["false"]

[jobs.resize]
command = ["sh", "-c", 'echo $REEVE_JOB_ID $TRACEPARENT; printf "%s\\n" "$@"', "sh", "{param.tags}", "{param.image}"]
params.image = { required = true }
params.tags = { type = "strings", default = [] }
`;

const ID = /^[a-z2-7]{20}\n$/;
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

let server: SqsServer;
beforeAll(async () => {
  server = await SqsServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

const urlOf = (queue: string): string => `${server.proxy.origin}/000000000000/${queue}`;

const send = (place: Place, queue: string, args: readonly string[], manner: Manner = {}): Promise<Done> =>
  place.run(["submit", "--queue", urlOf(queue), ...args], {
    ...manner,
    environment: { ...ENVIRONMENT, ...manner.environment },
  });

async function sent(place: Place, queue: string, args: readonly string[], manner: Manner = {}): Promise<string> {
  const done = await send(place, queue, args, manner);
  if (done.code !== 0 || !ID.test(done.stdout)) throw new Error(describeDone(args, done));
  return done.stdout.trim();
}

const idOf = ({ messageAttributes }: HeldMessage): unknown => messageAttributes["reeve.job"]?.["StringValue"];
const text = (StringValue: string) => ({ DataType: "String", StringValue });
const linesOf = (jobs: readonly object[]): string => jobs.map((job) => JSON.stringify(job)).join("\n");
const entriesSeen = (): unknown[] => server.proxy.seen.flatMap(({ body }) => [body["Entries"]].flat());

interface Refusal {
  readonly args: readonly string[];
  readonly sentence: RegExp;
  readonly manner?: Manner;
}

const refused = (sentence: RegExp, ...args: string[]): Refusal => ({ args, sentence });
const bodyRefused = (sentence: RegExp, stdin: string | Uint8Array): Refusal => ({
  ...refused(sentence, "--body-file", "-"),
  manner: { stdin },
});
const attributeRefused = (sentence: RegExp, ...attributes: string[]): Refusal =>
  refused(sentence, "--body", "a", ...attributes.flatMap((one) => ["--attribute", one]));

/** What SQS would not take, or what means nothing there, on a standard queue. */
const REFUSALS: readonly Refusal[] = [
  refused(/nothing to submit/),
  refused(/no command ever comes over a wire.*\n.*reeve work --queue/, "--", "true"),
  refused(/`priority` cannot be had on SQS.*\n.*a queue for each/, "resize", "--priority", "1"),
  refused(/`after` cannot be had on SQS.*\n.*`group`/, "resize", "--after", "abc"),
  refused(/`hold` cannot be had on SQS.*\n.*`delay`/, "resize", "--hold"),
  refused(/`expires` cannot be had on SQS/, "resize", "--expires", "1h"),
  refused(/`run-id` cannot be had on SQS.*\n.*`attribute`/, "resize", "--run-id", "a"),
  refused(/`execution-duration` cannot be had on SQS/, "resize", "--execution-duration", "1h"),
  refused(/`wait` cannot be had on SQS.*\n.*reeve wait ID/, "resize", "--wait"),
  refused(/`env` cannot be had on SQS.*\n.*reeve.toml/, "resize", "--env", "A=1"),
  refused(/`max-attempts` cannot be had on SQS/, "resize", "--max-attempts", "2"),
  refused(/`file` cannot be had on SQS: a path means nothing/, "resize", "--file", "map=@/etc/passwd"),
  refused(/needs the file `map`/, "scan"),
  refused(/`image` is required/, "resize"),
  refused(/begins with `-`/, "resize", "--param", "image=--help"),
  refused(/did you mean `image`/, "resize", "--param", "imag=a"),
  refused(/`kind` is required/, "order"),
  refused(/"kind" is given twice/, "order", "--param", "kind=a", "--attribute", "kind=b"),
  refused(/"TOKEN" is secret.*\n.*pass_env/, "resize", "--param", "image=a", "--param", "TOKEN=hush"),
  refused(/"\.\/resize.sh" is no definition/, "./resize.sh"),
  refused(/both the definition "resize" and a body.*\n.*--attribute/, "resize", "--param", "image=a", "--body", "b"),
  refused(/the parameter "a" is given, and no definition/, "--param", "a=b", "--body", "b"),
  refused(/given twice/, "--body", "b", "--body-file", "-"),
  refused(/the body's file .* is not there/, "--body-file", "missing"),
  refused(/the body is empty/, "--body", ""),
  bodyRefused(/holds U\+0001, its character 4/, "ü😀b\u0001"),
  bodyRefused(/holds U\+FFFF/, "\uffff"),
  bodyRefused(/is no UTF-8: its byte 5 is 0xff.*\n.*base64/, new Uint8Array([97, 0xc3, 0xbc, 98, 0xff, 0xff, 98])),
  bodyRefused(/is no UTF-8: it ends in the middle/, new Uint8Array([97, 0xc3])),
  bodyRefused(/the message has 1048610 bytes.*SQS takes 1048576/, "x".repeat(1_048_575)),
  refused(/15 minutes at most/, "--body", "a", "--delay", "15m1s"),
  refused(/drops no doubles.*\n.*\.fifo/, "--body", "a", "--dedupe", "k"),
  refused(/`group` is "a b"/, "--body", "a", "--group", "a b"),
  refused(/no X-Ray header/, "--body", "a", "--trace-header", "abc"),
  refused(/--priority cannot stand beside --batch/, "--batch", "-", "--priority", "1"),
  refused(/--group cannot stand beside --batch/, "--batch", "-", "--group", "a"),
  attributeRefused(/must be written NAME=VALUE/, "kind"),
  attributeRefused(/those that begin with `reeve\.`/, "reeve.job=a"),
  attributeRefused(/are Amazon's/, "aws.trace=a"),
  attributeRefused(/cannot be an attribute's name/, "a..b=a"),
  attributeRefused(/attribute a is empty/, "a="),
  attributeRefused(/attribute a is given twice/, "a=1", "a=2"),
  attributeRefused(/must be a number of 38 digits at most, not "x"/, "a:Number=x"),
  attributeRefused(/must be a number of 38 digits/, `a:Number=${"1".repeat(39)}`),
  attributeRefused(/must be written in base64/, "a:Binary=?"),
  attributeRefused(/attribute a is no "Text"/, "a:Text=x"),
  attributeRefused(/holds U\+0007/, "a=\u0007"),
  attributeRefused(
    /10 attributes are given.*\n.*one of them is the job's id/,
    ...[..."abcdefghij"].map((name) => `${name}=1`),
  ),
];

const ON_FIFO: readonly Refusal[] = [
  refused(/a FIFO queue needs a group.*\n.*--group NAME/, "--body", "a"),
  refused(/delays no single message/, "--body", "a", "--group", "g", "--delay", "1s"),
  refused(/`dedupe` is ""/, "--body", "a", "--group", "g", "--dedupe="),
];

/** They only start and end, so that several may do so side by side. */
const AT_ONCE = 4;

function expectRefusal({ args, sentence }: Refusal, done: Done): void {
  const wrong = done.code !== 2 || done.stdout !== "" || !sentence.test(done.stderr);
  if (wrong || !/^reeve: [^\n]+\n( {2}[^\n]+\n)*$/.test(done.stderr)) throw new Error(describeDone(args, done));
}

forEachForm("submit to SQS", (form) => {
  test(`each of ${REFUSALS.length + ON_FIFO.length} gets a sentence, and nothing is asked of the queue`, async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const [standard, fifo] = [await server.createQueue(), await server.createQueue({ FifoQueue: "true" })];
    const all = [
      ...REFUSALS.map((refusal) => ({ refusal, queue: standard })),
      ...ON_FIFO.map((refusal) => ({ refusal, queue: fifo })),
    ];
    for (let from = 0; from < all.length; from += AT_ONCE) {
      const some = all.slice(from, from + AT_ONCE).map(async ({ refusal, queue }) => {
        expectRefusal(refusal, await send(place, queue, refusal.args, refusal.manner));
      });
      await Promise.all(some);
    }
    expect(server.proxy.seen).toEqual([]);
    expect(existsSync(place.store)).toBe(false);
  });

  test("what is a message's alone is refused in the store's own queue, and the store is as ever", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const onStore = [
      refused(/`attribute` cannot be had in the store's own queue/, "--attribute", "a=b"),
      refused(/`group` cannot be had in the store's own queue/, "--queue", "local", "--group", "a"),
      refused(/`trace-header` cannot be had/, "--queue", "sqlite", "--trace-header", XRAY),
      refused(/--endpoint is SQS's/, "--endpoint", server.origin),
      refused(/reeve.toml has no such queue, did you mean `local`/, "--queue", "lokal"),
    ];
    for (const refusal of onStore) {
      expectRefusal(refusal, await place.reeve("submit", ...refusal.args, "--", "true"));
    }
    await place.submit("--queue", "local", "--", "true");
    expect((await place.list()).length).toBe(1);
  });

  test("a definition's name and parameters arrive with the job's id, and no store is made", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const queue = await server.createQueue();
    const args = ["resize", "--param", "IMAGE=ä \uffff.png", "--param", "tags=a", "--param", "width="];
    const done = await send(place, queue, args);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(ID);
    const [message, ...others] = await server.waiting(queue);
    expect(others).toEqual([]);
    expect(message?.messageAttributes).toEqual({ "reeve.job": text(done.stdout.trim()) });
    const body: unknown = JSON.parse(message?.body ?? "");
    expect(body).toEqual({ job: "resize", params: { image: "ä \uffff.png", tags: ["a"], width: "" } });
    expect(existsSync(place.store)).toBe(false);
  });

  test("it is the job that a worker elsewhere runs, with its id, its parameters and its sender's trace", async () => {
    await using here = new Place(form);
    await using there = new Place(form);
    there.write("reeve.toml", ELSEWHERE);
    const queue = await server.createQueue();
    const params = ["image=a b.png", "tags=x", "tags=y"].flatMap((one) => ["--param", one]);
    const id = await sent(here, queue, ["resize", "--quiet", ...params], { environment: { TRACEPARENT: TRACE } });
    const worked = await there.run(["work", "--queue", urlOf(queue), "--once"], { environment: ENVIRONMENT });
    if (worked.code !== 0) throw new Error(describeDone(["work"], worked));
    expect(await there.ok("logs", id)).toBe(`${id} ${TRACE}\nx\ny\na b.png\n`);
    expect(await there.phase(id)).toBe("COMPLETED");
    expect(await server.waiting(queue)).toEqual([]);
  });

  test("what this configuration does not define is sent as it is given, and said", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    const params = ["image=", "l=1", "n=007", "L=2"].flatMap((one) => ["--param", one]);
    const done = await send(place, queue, ["resize", ...params]);
    expect(done.stderr).toBe('reeve: no definition "resize" here: only the worker checks its parameters\n');
    const [message] = await server.waiting(queue);
    expect(JSON.parse(message?.body ?? "")).toEqual({ job: "resize", params: { image: "", l: ["1", "2"], n: "007" } });
    expect(await send(place, queue, ["resize", "--quiet"])).toMatchObject({ code: 0, stderr: "" });
  });

  test("a body arrives byte for byte, with its attributes, delay, group and the caller's trace", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    const body = '\ufeff{"id":\t7}\r\n ü\n';
    const attributes = ["kind=a=b", "size:Number.int=12", "icon:Binary.png=AP8="].flatMap((one) => [
      "--attribute",
      one,
    ]);
    const args = ["--body-file", "-", ...attributes, "--delay", "1500ms", "--group", "customer-7"];
    const id = await sent(place, queue, args, { stdin: body, environment: { TRACEPARENT: TRACE } });
    expect(await server.waiting(queue)).toMatchObject([{ body }]);
    expect(entriesSeen()).toMatchObject([
      {
        DelaySeconds: 2,
        MessageGroupId: "customer-7",
        MessageAttributes: {
          kind: text("a=b"),
          size: { DataType: "Number.int", StringValue: "12" },
          icon: { DataType: "Binary.png", BinaryValue: "AP8=" },
          "reeve.job": text(id),
          traceparent: text(TRACE),
        },
      },
    ]);
  });

  test("a trace header goes instead of TRACEPARENT; what is no trace does not go at all, nor one too many", async () => {
    await using place = new Place(form);
    const [queue, other] = [await server.createQueue(), await server.createQueue()];
    const id = await sent(place, queue, ["--body", "a", "--trace-header", XRAY], {
      environment: { TRACEPARENT: TRACE },
    });
    expect(entriesSeen()).toMatchObject([{ MessageSystemAttributes: { AWSTraceHeader: text(XRAY) } }]);
    const nine = [..."abcdefghi"].flatMap((name) => ["--attribute", `${name}=1`]);
    await sent(place, other, ["--body", "a", ...nine], { environment: { TRACEPARENT: TRACE } });
    const [full] = await server.waiting(other);
    expect(Object.keys(full?.messageAttributes ?? {})).toEqual([..."abcdefghi", "reeve.job"]);
    const another = await sent(place, queue, ["--body", "b"], { environment: { TRACEPARENT: "00-no-trace" } });
    const held = await server.waiting(queue);
    expect(held.map((one) => one.messageAttributes)).toEqual([
      { "reeve.job": text(id) },
      { "reeve.job": text(another) },
    ]);
  });

  test("on a FIFO queue the job's id, or a key, keeps doubles away", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue({ FifoQueue: "true" });
    // The server acts, and the answer is lost: it is sent again.
    server.proxy.script("SendMessageBatch", "swallow");
    const id = await sent(place, queue, ["--body", "a", "--group", "g"]);
    expect(server.proxy.count("SendMessageBatch")).toBe(2);
    for (const body of ["b", "c"]) await sent(place, queue, ["--body", body, "--group", "g", "--dedupe", "k"]);
    const held = await server.waiting(queue);
    expect(held).toMatchObject([
      { body: "a", messageDeduplicationId: id },
      { body: "b", messageDeduplicationId: "k" },
    ]);
  });

  test("the id is printed when SQS has the message, not before", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    server.proxy.script("SendMessageBatch", { delayMs: 500 });
    const args = ["submit", "--queue", urlOf(queue), "--body", "a"];
    const running = place.start(args, { environment: ENVIRONMENT });
    await eventually("it is on its way", () => server.proxy.count("SendMessageBatch") === 1);
    expect(running.stdout()).toBe("");
    const [done, [message]] = [await running.ended, await server.waiting(queue)];
    expect(done.stdout).toMatch(ID);
    expect(message && idOf(message)).toBe(done.stdout.trim());
  });

  testWhere(form === COMPILED)(
    "an answer that never comes: nothing is printed, and it is said how to go on",
    async () => {
      await using place = new Place(form);
      const queue = await server.createQueue({ FifoQueue: "true" });
      server.proxy.decide = () => "swallow";
      const done = await send(place, queue, ["--body", "a", "--group", "g"]);
      const [message] = await server.waiting(queue);
      expect(done).toMatchObject({ code: 69, stdout: "" });
      expect(done.stderr).toContain(`if it did arrive, it is the job ${message && String(idOf(message))}`);
      expect(done.stderr).toContain(`--dedupe ${message?.messageDeduplicationId} keeps it from being there twice`);
    },
  );

  test("a queue that is not there, or not for us, is told with what to do, and exit code 69", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    const missing = await send(place, "never-made", ["--body", "a"]);
    expect(missing).toMatchObject({ code: 69, stdout: "" });
    expect(missing.stderr).toMatch(
      /^reeve: SendMessageBatch on never-made: .*\n {2}are the queue's URL and region right\?\n$/,
    );
    server.proxy.decide = () => sqsError("AccessDenied", "not you");
    const denied = await send(place, queue, ["--body", "a"]);
    expect(denied).toMatchObject({ code: 69, stdout: "", stderr: expect.stringContaining("sqs:SendMessage") });
  });

  test("a batch keeps its order, and prints the ids in it", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const queue = await server.createQueue({ FifoQueue: "true" });
    const jobs = Array.from({ length: 23 }, (_, index) => ({ body: `${index}`, group: "g" }));
    const [first, ...others] = jobs;
    const line = `{"attributes":{"kind":"a","n:Number.int":7,"m":1.50},"dedupe":"k",${JSON.stringify(first).slice(1)}`;
    place.write(
      "jobs.ndjson",
      `${line}

${linesOf(others)}`,
    );
    const done = await send(place, queue, ["--batch", "jobs.ndjson"]);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const held = await server.waiting(queue);
    expect(held.map(({ body }) => body)).toEqual(jobs.map(({ body }) => body));
    expect(held.map(idOf)).toEqual(done.stdout.trim().split("\n"));
    expect(server.proxy.count("SendMessageBatch")).toBe(3);
    expect(held[0]).toMatchObject({
      messageDeduplicationId: "k",
      messageAttributes: {
        kind: text("a"),
        n: { DataType: "Number.int", StringValue: "7" },
        m: { DataType: "Number", StringValue: "1.50" },
      },
    });
    await sent(place, queue, ["order", "--attribute", "kind=a", "--group", "g"]);
    const definition = linesOf([{ job: "resize", params: { image: "a", tags: ["x", "y"], width: 7 }, group: "h" }]);
    await sent(place, queue, ["--batch", "-"], { stdin: definition });
    const [last] = (await server.waiting(queue)).slice(-1);
    const params = { image: "a", width: "7", tags: ["x", "y"] };
    expect(JSON.parse(last?.body ?? "")).toEqual({ job: "resize", params });
  });

  test("of a batch with wrong lines each is named, and nothing is sent", async () => {
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const queue = await server.createQueue();
    const wrong = [
      ['{"command":["true"]}', "`-- COMMAND` cannot be had on SQS"],
      ['{"job":"resize","params":{"width":5}}', "The parameter `image` is required."],
      ['{"body":"a","after":"x"}', "`after` cannot be had on SQS"],
      ['{"body":"a","name":"x"}', "`name` cannot be had on SQS"],
      ['{"body":"a\\ud800"}', "`body` holds half of a surrogate pair"],
      ['{"body":"a","attributes":{"a":{}}}', '`attributes`: "a" must be a text, a number'],
      ['{"body":"a","timeout":5}', "`timeout` cannot be had on SQS"],
      ['{"body":"a","grup":"x"}', '"grup" is not a key of a job, did you mean `group`?'],
    ] as const;
    const stdin = ['{"body":"good"}', ...wrong.map(([line]) => line)].join("\n");
    const done = await send(place, queue, ["--batch", "-"], { stdin });
    expect(done).toMatchObject({ code: 2, stdout: "" });
    expect(done.stderr).toContain(`nothing was submitted, since ${wrong.length} lines are wrong`);
    for (const [index, [, sentence]] of wrong.entries()) expect(done.stderr).toMatch(`stdin:${index + 2}: ${sentence}`);
    expect(server.proxy.seen).toEqual([]);
  });

  test("what the queue refuses of a batch is told by its lines, and the rest is there", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue({ MaximumMessageSize: "1024" });
    const large = "x".repeat(2000);
    const bodies = ["a", large, large, "b", large, ...Array.from({ length: 20 }, (_, index) => `${index}`)];
    place.write("jobs.ndjson", `\n${linesOf(bodies.map((body) => ({ body })))}`);
    const done = await send(place, queue, ["--batch", "jobs.ndjson"]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(
      /^reeve: 3 of 25 messages were not sent:\n {2}jobs.ndjson:3-4: .*\n {2}jobs.ndjson:6: .*\n$/,
    );
    const held = await server.waiting(queue);
    expect(held.map(({ body }) => body).toSorted()).toEqual(bodies.filter((body) => body !== large).toSorted());
    const byBody = new Map(held.map((message) => [message.body, idOf(message)]));
    const inOrder: unknown[] = bodies.filter((body) => body !== large).map((body) => byBody.get(body));
    expect(inOrder).toEqual(done.stdout.trim().split("\n"));
    expect(await send(place, queue, ["--body", large])).toMatchObject({ code: 2, stdout: "" });
  });

  test("a batch that is stopped tells what it has sent and what not, and ends by that signal", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    place.write("jobs.ndjson", linesOf(Array.from({ length: 2000 }, (_, index) => ({ body: `${index}` }))));
    server.proxy.decide = () => ({ delayMs: 40 });
    const args = ["submit", "--queue", urlOf(queue), "--batch", "jobs.ndjson"];
    const running = place.start(args, { environment: ENVIRONMENT });
    await eventually("some are sent", () => running.stdout() !== "");
    running.signal("SIGINT");
    const { signal, stdout, stderr } = await running.ended;
    expect(signal).toBe("SIGINT");
    const ids = stdout.trim().split("\n");
    expect(new Set(ids)).toEqual(new Set((await server.waiting(queue)).map((message) => String(idOf(message)))));
    const left = `${2000 - ids.length} of 2000 messages were not sent:\n  jobs.ndjson:${ids.length + 1}-2000: stopped by SIGINT\n`;
    expect(stderr).toBe(`reeve: ${left}`);
  });

  test("of a long batch a terminal is told how far it has come, while the ids go to a file", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    place.write("jobs.ndjson", linesOf(Array.from({ length: 900 }, (_, index) => ({ body: `${index}` }))));
    const command = [...form.argv, "submit", "--queue", urlOf(queue), "--batch", "jobs.ndjson"].join(" ");
    const terminal = place.startProgram(["script", "-qec", `${command} > ids`, "/dev/null"], {
      environment: ENVIRONMENT,
    });
    const { code, stdout } = await terminal.ended;
    expect(code).toBe(0);
    expect(stdout).toBe([400, 800, 900].map((sent) => `\r\u001b[K${sent} of 900 sent`).join("") + "\r\u001b[K");
    expect(place.lines("ids").length).toBe(900);
  });

  test("a batch is sent to its end, whoever reads its ids", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue();
    place.write("jobs.ndjson", linesOf(Array.from({ length: 2000 }, (_, index) => ({ body: `${index}` }))));
    const command = [...form.argv, "submit", "--queue", urlOf(queue), "--batch", "jobs.ndjson"];
    const argv = ["sh", "-c", '{ "$@"; echo "$?" > code; } | head -n 1', "sh", ...command];
    const { stdout } = await place.startProgram(argv, { environment: ENVIRONMENT }).ended;
    expect(stdout).toMatch(ID);
    expect(await place.file("code")).toBe("0\n");
    expect((await server.waiting(queue)).length).toBe(2000);
  });

  test("a batch stops where the queue is out of reach, and tells from which line on", async () => {
    await using place = new Place(form);
    const queue = await server.createQueue({ FifoQueue: "true" });
    const fates = Array.from({ length: 42 }, () => "pass" as const);
    server.proxy.script("SendMessageBatch", ...fates, sqsError("AccessDenied", "not any more"));
    const stdin = linesOf(Array.from({ length: 900 }, (_, index) => ({ body: `${index}`, group: "g" })));
    const done = await send(place, queue, ["--batch", "-"], { stdin });
    expect(done.code).toBe(69);
    expect(done.stderr).toMatch(
      /^reeve: 480 of 900 messages were not sent:\n {2}stdin:421-900: .*\n {2}.*sqs:SendMessage.*\n$/,
    );
    expect((await server.waiting(queue)).map(idOf)).toEqual(done.stdout.trim().split("\n"));
    expect(server.proxy.count("SendMessageBatch")).toBe(43);
  });
});
