import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Options } from "../../src/cli/invocation.ts";
import { filterOf } from "../../src/cli/dead-sqs/choice.ts";
import { copyOf, letterOf } from "../../src/cli/dead-sqs/letter.ts";
import { Reading, type Readable } from "../../src/cli/dead-sqs/reading.ts";
import { workThrough, type Fate } from "../../src/cli/dead-sqs/working.ts";
import { parseQueueUrl } from "../../src/queue/sqs/address.ts";
import type { ReceivedMessage } from "../../src/queue/sqs/message.ts";
import { ASKING, jobsIn, sendLetter, sendLetters, urlOf } from "../support/dead-letters.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { start, type Done } from "./desk.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

const dead = (queue: string, ...args: string[]): Promise<Done> =>
  start(["dead", ...args, "--queue", urlOf(server, queue)], ASKING).ended;

const BROKEN = { status: 500, body: "" };
const DENIED = sqsError("AccessDenied", "not authorized to perform that", { status: 403 });

describe("a redrive", () => {
  test("of a FIFO queue keeps groups and their order, with deduplication ids that are new", async () => {
    const [queue, letters] = await server.createPair({ FifoQueue: "true" });
    const ids = new Map<string, string>();
    for (const job of ["job-a-one", "job-a-two", "job-b-one"]) {
      const fields = { MessageGroupId: job.slice(0, 5), MessageDeduplicationId: `the sender's ${job}` };
      ids.set(job, await sendLetter(server, letters, { job, fields }));
    }
    // What came to the queue under the sender's own id is remembered for five minutes.
    const before = { MessageGroupId: "job-a", MessageDeduplicationId: "the sender's job-a-one" };
    const first = await server.send(queue, "before", before);
    const { code, stdout } = await dead(queue, "retry", "--all");
    expect({ code, back: stdout.trim().split("\n").length }).toEqual({ code: 0, back: 3 });
    const came = (await server.waiting(queue)).filter(({ messageId }) => messageId !== first);
    const told = came.map(({ messageAttributes, messageGroupId, messageDeduplicationId }) => {
      const job = String(messageAttributes["reeve.job"]?.["StringValue"]);
      return { job, messageGroupId, isNew: messageDeduplicationId === ids.get(job) };
    });
    expect(told.filter(({ messageGroupId }) => messageGroupId === "job-a")).toEqual([
      { job: "job-a-one", messageGroupId: "job-a", isNew: true },
      { job: "job-a-two", messageGroupId: "job-a", isNew: true },
    ]);
    expect(told.find(({ job }) => job === "job-b-one")).toMatchObject({ messageGroupId: "job-b", isNew: true });
    expect([await server.waiting(letters), await server.inFlight(letters)]).toEqual([[], []]);
  });

  test("that gets no answer sends again, and deletes only what was taken", async () => {
    const [queue, letters] = await server.createPair({ FifoQueue: "true" });
    const fields = { MessageGroupId: "g", MessageDeduplicationId: "d" };
    await sendLetter(server, letters, { job: "job-once-only", fields });
    server.proxy.script("SendMessageBatch", "swallow", "cut");
    expect(await dead(queue, "retry", "job-once-only")).toMatchObject({ code: 0, stdout: "job-once-only\n" });
    expect(server.proxy.count("SendMessageBatch")).toBe(3);
    expect(await jobsIn(server, queue)).toEqual(["job-once-only"]);
    expect([await server.waiting(letters), await server.inFlight(letters)]).toEqual([[], []]);
  });

  test("says of each letter that was sent and not deleted which it is, and does not send it again", async () => {
    const [queue, letters] = await server.createPair();
    const jobs = await sendLetters(server, letters, 3);
    server.proxy.decide = ({ action }) => (action === "DeleteMessageBatch" ? DENIED : "pass");
    const { code, stdout, stderr } = await dead(queue, "retry", "--all");
    expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
    for (const job of jobs)
      expect(stderr).toMatch(new RegExp(`letter ${job} .* was sent back, and stays .* purge \\S`));
    expect(await jobsIn(server, queue)).toEqual(jobs);
    expect(server.proxy.count("SendMessageBatch")).toBe(1);
  });

  test("that may not send leaves all where it was", async () => {
    const [queue, letters] = await server.createPair();
    const jobs = await sendLetters(server, letters, 12);
    server.proxy.decide = ({ action }) => (action === "SendMessageBatch" ? DENIED : "pass");
    const { code, stdout, stderr } = await dead(queue, "retry", "--all", "--json");
    expect(code).toBe(69);
    expect(JSON.parse(stdout)).toMatchObject({ done: 0, ids: [] });
    expect(stderr).toContain("job-of-letter-1 (message");
    expect(server.proxy.count("DeleteMessageBatch")).toBe(0);
    expect([await jobsIn(server, letters), await server.inFlight(letters)]).toEqual([jobs.toSorted(), []]);
  });

  test("beside another one: each letter goes back once", async () => {
    const [queue, letters] = await server.createPair();
    const jobs = await sendLetters(server, letters, 40);
    const ends = await Promise.all([dead(queue, "retry", "--all"), dead(queue, "retry", "--all")]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    expect(ends.flatMap(({ stdout }) => stdout.split("\n").filter(Boolean)).toSorted()).toEqual(jobs.toSorted());
    expect(await jobsIn(server, queue)).toEqual(jobs.toSorted());
    expect([await server.waiting(letters), await server.inFlight(letters)]).toEqual([[], []]);
  });

  test("can be rehearsed, and limited", async () => {
    const [queue, letters] = await server.createPair();
    await sendLetters(server, letters, 5);
    await sendLetter(server, letters, { job: "job-that-was-slow", reason: "timeout" });
    const rehearsed = await dead(queue, "retry", "--all", "--match", "/^TIME/i", "--dry-run");
    expect(rehearsed).toMatchObject({ code: 0, stderr: `reeve: 1 letter would be sent back to ${queue}\n` });
    expect(rehearsed.stdout).toMatch(/^ID .*\njob-that-w .* timeout +resize\n$/);
    expect(await server.waiting(queue)).toEqual([]);
    expect((await server.waiting(letters)).length).toBe(6);
    expect(await dead(queue, "purge", "--all", "--limit", "2", "--quiet")).toMatchObject({ code: 0, stderr: "" });
    expect([(await server.waiting(letters)).length, await server.inFlight(letters)]).toEqual([4, []]);
  });
});

describe("dead letters of SQS", () => {
  test("that cannot be told from others by what was given are not touched", async () => {
    const [queue, letters] = await server.createPair();
    await sendLetters(server, letters, 1);
    for (const [args, sentence] of [
      [["retry"], "either ids or --all"],
      [["retry", "job-of-letter-1", "--all"], "either ids or --all"],
      [["purge", "job-of"], "too little of an id"],
      [["purge", "job-of-letter-1", "--match", "x"], "--match goes with --all"],
      [["retry", "--all", "--rate", "0"], "--rate must be"],
      [["retry", "--all", "--match", "/(/"], "--match: "],
    ] as const) {
      const { code, stderr } = await dead(queue, ...args);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(sentence) });
    }
    expect(server.proxy.seen).toEqual([]);
  });

  test("that are not there are told to be missing", async () => {
    const [queue, letters] = await server.createPair();
    await sendLetters(server, letters, 2);
    const { code, stdout, stderr } = await dead(queue, "purge", "job-of-letter-2", "no-such-job");
    expect({ code, stdout }).toEqual({ code: 3, stdout: "job-of-letter-2\n" });
    expect(stderr).toContain(`${letters} gave no letter "no-such-job"`);
    expect(await jobsIn(server, letters)).toEqual(["job-of-letter-1"]);
  });

  test("of a queue without a policy are nowhere; with --to it is the dead letter queue itself", async () => {
    const letters = await server.createQueue();
    const queue = await server.createQueue();
    const [job = ""] = await sendLetters(server, letters, 1);
    const refused = await dead(letters, "purge", "--all");
    expect(refused).toMatchObject({ code: 78, stderr: expect.stringMatching(/has no redrive policy[^]*--to names/) });
    expect(await jobsIn(server, letters)).toEqual([job]);
    expect(await dead(letters, "retry", job, "--to", urlOf(server, letters))).toMatchObject({ code: 2 });
    expect(await dead(letters, "retry", job, "--to", urlOf(server, queue))).toMatchObject({ code: 0 });
    expect(await jobsIn(server, queue)).toEqual([job]);
  });

  test("of any sender are shown with what they have, and with nothing that a terminal would act on", async () => {
    const [queue, letters] = await server.createPair();
    const id = await server.send(letters, "a\u009b31mbody", {
      MessageAttributes: { note: { DataType: "String", StringValue: "\u009b2J" } },
    });
    const listed = await dead(queue, "list", "--limit", "1");
    expect(listed.stdout).toContain(`${id.slice(0, 10)}  `);
    expect(listed.stdout).toContain("a\\u009b31mbody");
    const page = await dead(queue, "show", id);
    expect(page.stdout).toContain("note (String): \\u009b2J");
    expect(page.stdout).toEndWith("\na\\u009b31mbody\n");
    expect(JSON.parse((await dead(queue, "show", id, "--json")).stdout)).toMatchObject({
      id,
      messageId: id,
      reason: null,
      receiveCount: 3,
      attributes: { note: { dataType: "String", value: "\u009b2J" } },
      body: "a\u009b31mbody",
    });
  });

  test("of a queue that has dead letters itself are looked at with a warning", async () => {
    const [middle] = await server.createPair({}, 5);
    const policy = { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${middle}`, maxReceiveCount: 3 };
    const queue = await server.createQueue({ RedrivePolicy: JSON.stringify(policy) });
    const { code, stderr } = await dead(queue, "list");
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("after 5 looks a letter moves on") });
  });

  test("whose queue lets nobody release them, or loses an answer, are told to come back later", async () => {
    const [queue, letters] = await server.createPair();
    await sendLetters(server, letters, 1);
    server.proxy.decide = ({ action }) => (action === "ChangeMessageVisibility" ? DENIED : "pass");
    const denied = await dead(queue, "show", "job-of-letter-1");
    expect(denied).toMatchObject({ code: 0, stderr: expect.stringContaining("only in a minute: ChangeMessageVis") });
    await sendLetters(server, letters, 1);
    server.proxy.forget();
    server.proxy.script("ReceiveMessage", "swallow");
    const lost = await dead(queue, "retry", "--all");
    expect(lost).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("an answer was lost") });
  });

  test("cannot be had where the queue is not, and the exit code says so", async () => {
    const { code, stderr } = await dead("no-such-queue", "list");
    expect({ code, stderr }).toEqual({ code: 69, stderr: expect.stringContaining("no-such-queue") });
    const [queue] = await server.createPair();
    server.proxy.decide = ({ action }) => (action === "ReceiveMessage" ? DENIED : "pass");
    expect(await dead(queue, "list")).toMatchObject({
      code: 69,
      stderr: expect.stringContaining("sqs:ReceiveMessage"),
    });
    server.proxy.decide = () => BROKEN;
    expect(await start(["dead", "list", "--rate", "3"], ASKING).ended).toMatchObject({ code: 2 });
  });
});

/** A queue that gives what it is told to, poll after poll. */
class Scripted implements Readable {
  readonly address = parseQueueUrl("http://127.0.0.1/0/letters");
  readonly polls: { readonly at: number; readonly max: number }[] = [];
  readonly released: string[] = [];
  readonly #clock: FakeClock;
  readonly #give: (max: number, poll: number) => readonly string[];

  constructor(clock: FakeClock, give: (max: number, poll: number) => readonly string[]) {
    this.#clock = clock;
    this.#give = give;
  }

  async receive(max: number) {
    const ids = this.#give(max, this.polls.length);
    this.polls.push({ at: this.#clock.now(), max });
    return { kind: "ok", value: ids.map((id) => delivery(id, this.#clock.boottime())) } as const;
  }

  async release({ receipt }: { readonly receipt: string }) {
    this.released.push(receipt);
    return { kind: "ok" } as const;
  }
}

const delivery = (id: string, receivedAt: number, fields: Partial<ReceivedMessage> = {}): ReceivedMessage => ({
  id,
  receipt: id,
  receivedAt,
  body: "",
  attributes: new Map(),
  systemAttributes: new Map(),
  receiveCount: 1,
  sentAt: null,
  firstReceivedAt: null,
  ...fields,
});

const all = filterOf(new Options({}), 0);

describe("a reading", () => {
  test("gives each message once, though holds run out, and ends once nothing new comes in a whole round", async () => {
    const clock = new FakeClock();
    const rounds = [["a", "b"], ["b", "c"], ["a"], ["d"], ["a", "b"], ["c", "d"], ["e"]];
    const queue = new Scripted(clock, (_, poll) => rounds[poll] ?? []);
    const reading = new Reading(queue, { clock, random: () => 0 });
    const given = [];
    for (let found = await reading.next(10); found.length > 0; found = await reading.next(10)) {
      given.push(...found.map(({ id }) => id));
    }
    expect(given).toEqual(["a", "b", "c", "d"]);
    expect(queue.polls.length).toBe(6);
  });

  test("releases what is still its own, and nothing whose hold is over", async () => {
    const clock = new FakeClock();
    const queue = new Scripted(clock, (_, poll) => [`message ${poll}`]);
    const reading = new Reading(queue, { clock, random: () => 0 });
    await reading.next(1);
    await clock.advance(59_000);
    await reading.next(1);
    await reading.next(1);
    reading.forget("message 2");
    await clock.advance(1000);
    expect(await reading.release()).toBe(null);
    expect(queue.released).toEqual(["message 1"]);
  });
});

const doNothing = async (letters: readonly unknown[]): Promise<Fate[]> => letters.map(() => ({ kind: "done" }));

/** What is done at a rate within so many seconds. */
async function doneWithin(seconds: number, rate: number) {
  const clock = new FakeClock(0);
  let next = 0;
  const queue = new Scripted(clock, (max) => Array.from({ length: max }, () => `${(next += 1)}`));
  const reading = new Reading(queue, { clock, random: () => 0 });
  const stop = new AbortController();
  const ports = { clock, stop: stop.signal, tell: async () => {} };
  const work = workThrough(reading, all, doNothing, { limit: Number.POSITIVE_INFINITY, rate }, ports);
  for (let tenth = 0; tenth < seconds * 10; tenth += 1) {
    await takeTurns();
    await clock.advance(100);
  }
  stop.abort();
  await work;
  return { done: next, polls: queue.polls };
}

describe("a rate", () => {
  test.each([
    [0.5, 20, 1],
    [3, 10, 3],
    [100, 3, 10],
  ])("of %f a second is kept over %i s, and no more is held than can be done at once", async (rate, seconds, most) => {
    const { done, polls } = await doneWithin(seconds, rate);
    expect(done).toBeGreaterThanOrEqual(rate * seconds - most);
    expect(done).toBeLessThanOrEqual(rate * seconds + most);
    expect(Math.max(...polls.map(({ max }) => max))).toBe(most);
  });
});

test("a copy keeps a fair queue's group and the trace header, and has an id against doubles for FIFO only", () => {
  const systemAttributes = new Map([
    ["MessageGroupId", "tenant-7"],
    ["MessageDeduplicationId", "the sender's"],
    ["AWSTraceHeader", "Root=1-5759e988-bd862e3fe1be46a994272793"],
  ]);
  const letter = letterOf(delivery("m-1", 0, { body: "b", systemAttributes }));
  const copy = {
    body: "b",
    attributes: new Map(),
    groupId: "tenant-7",
    traceHeader: systemAttributes.get("AWSTraceHeader"),
  };
  expect<object>(copyOf(letter, { isFifo: false })).toEqual(copy);
  expect<object>(copyOf(letter, { isFifo: true })).toEqual({ ...copy, deduplicationId: "m-1" });
});

test.each([
  [{ match: "=exit code 3" }, true],
  [{ match: "=exit code 4" }, false],
  [{ match: "=/CODE \\d/i" }, true],
  [{ match: '="params"' }, true],
  [{ job: "=resize" }, true],
  [{ job: "=thumbnail" }, false],
  [{ olderThan: "=1h" }, true],
  [{ olderThan: "=3h" }, false],
  [{ olderThan: "=1h", job: "=thumbnail" }, false],
])("a filter %p of a letter that is two hours old: %p", (options, isTaken) => {
  const attributes = new Map([["reeve.reason", { dataType: "String", text: "exit code 3" }]]);
  const fields = { body: '{"job":"resize","params":{}}', sentAt: 1_000_000, attributes };
  const letter = letterOf(delivery("a", 0, fields));
  expect(filterOf(new Options(options), 1_000_000 + 7_200_000).takes(letter)).toBe(isTaken);
});
