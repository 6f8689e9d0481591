import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { COMMAND_LINE } from "../../src/config/definition.ts";
import { inlineBody, type Body } from "../../src/config/message-body.ts";
import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../../src/config/queue-definition.ts";
import { Router } from "../../src/config/routing.ts";
import { SqsIntake } from "../../src/queue/sqs-intake.ts";
import { QueuePolicy } from "../../src/queue/sqs-policy.ts";
import type { Content } from "../../src/store/job.ts";
import type { Store } from "../../src/store/store.ts";
import { definition } from "../config/helpers.ts";
import { SqsBodies, type Arrived } from "../../src/queue/sqs-bodies.ts";
import type { SqsConnection } from "../../src/queue/sqs/connection.ts";
import { receiveAll } from "../contract/sqs/bench.ts";
import { eventually, within } from "../support/eventually.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { S3Server, s3Error } from "../support/s3-server.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { newJob, only, temporaryDirectory, temporaryStore, type TemporaryDirectory } from "../support/temporary.ts";

const pointerTo = (key: string, bucket = "bodies"): string =>
  `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"${bucket}","s3Key":"${key}"}]`;

let sqs: SqsServer;
let s3: S3Server;
let directory: TemporaryDirectory;
let queue: string;
let connection: SqsConnection;
/** Bodies of jobs that are in the store, by the id of their message. */
const known = new Map<string, Body>();

const warnings: string[] = [];

beforeAll(async () => {
  sqs = await SqsServer.start();
});
afterAll(() => sqs[Symbol.asyncDispose]());

beforeEach(async () => {
  s3 = await S3Server.start();
  directory = temporaryDirectory();
  queue = await sqs.createQueue();
  connection = await sqs.connect(queue, { environment: { AWS_ENDPOINT_URL_S3: s3.origin } });
  known.clear();
  warnings.length = 0;
});
afterEach(async () => {
  await connection.close();
  await s3[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

const hasBody = (path: string): boolean =>
  [...known.values()].some((body) => body?.kind === "file" && body.path === path);

function bodies(settings: Partial<SqsQueueDefinition> = {}): SqsBodies {
  const definition = { ...DEFAULT_SQS_QUEUE, url: queue, pointerBuckets: ["bodies"], ...settings };
  const deliveries = { bodyOf: (_: string, messageId: string) => known.get(messageId) ?? null };
  const location = { body: (worker: string, name: string) => directory.of(`${worker}.${name}`) };
  return new SqsBodies({
    connection,
    definition,
    store: { deliveries, location, jobs: { hasBody } },
    worker: "w",
    clock: systemClock,
    newId: () => crypto.randomUUID(),
    warn: (what) => warnings.push(what),
  });
}

const always = (): boolean => true;

/** What messages have, by their bodies in the queue. */
async function looked(texts: readonly string[], settings: Partial<SqsQueueDefinition> = {}) {
  for (const text of texts) await sqs.send(queue, text);
  const arrived = await bodies(settings).of(await receiveAll(connection, texts.length), always);
  return new Map(arrived.map((one) => [one.message.body, said(one)]));
}

function said({ body }: Arrived): string {
  switch (body.kind) {
    case "body":
      return body.content.kind === "file" ? `file of ${body.content.size}` : Buffer.from(body.content.bytes).toString();
    case "rejected":
      return `rejected: ${body.reason}`;
    case "later":
      return `later: ${body.why}`;
    case "lost":
      return "lost";
    default:
      return body satisfies never;
  }
}

test("a body is the message's own, or where its pointer says, or not to be had", async () => {
  s3.put("bodies/a", "large");
  s3.put("others/a", "secret");
  const found = await looked(["small", pointerTo("a"), pointerTo("a", "others"), pointerTo("gone")]);
  expect(found.get("small")).toBe("small");
  expect(found.get(pointerTo("a"))).toBe("large");
  expect(found.get(pointerTo("a", "others"))).toMatch(
    /^rejected: .*bucket others, which is not among pointer_buckets$/,
  );
  expect(found.get(pointerTo("gone"))).toMatch(/^rejected: .*NoSuchKey/);
  expect(s3.asked.toSorted()).toEqual(["GET /bodies/a", "GET /bodies/gone"]);
  expect(readdirSync(directory.path)).toEqual([]);
});

test("without a bucket that it may point to a pointer is a body as any other", async () => {
  s3.put("bodies/a", "large");
  expect([...(await looked([pointerTo("a")], { pointerBuckets: [] })).values()]).toEqual([pointerTo("a")]);
  expect(s3.asked).toEqual([]);
});

test("what may not be read yet is put off", async () => {
  s3.fates.push(() => s3Error(403, "AccessDenied", "Access Denied"));
  const found = await looked([pointerTo("a")]);
  expect(found.get(pointerTo("a"))).toMatch(/^later: .*AccessDenied/);
});

test("a message that comes again has the body of its job, which is not fetched again", async () => {
  s3.put("bodies/a", "another by now");
  known.set(await sqs.send(queue, pointerTo("a")), inlineBody(Buffer.from("as it was")));
  const [arrived] = await bodies().of(await receiveAll(connection, 1), always);
  expect(arrived && said(arrived)).toBe("as it was");
  expect(s3.asked).toEqual([]);
});

test("a job that has nothing but the pointer gets no pointer for a body", async () => {
  s3.put("bodies/a", "large");
  known.set(await sqs.send(queue, pointerTo("a")), inlineBody(Buffer.from(pointerTo("a"))));
  const [arrived] = await bodies().of(await receiveAll(connection, 1), always);
  expect(arrived && said(arrived)).toBe("large");
});

test("all that came together is kept while a body is fetched, and no longer", async () => {
  await sqs.send(queue, "small");
  await sqs.send(queue, pointerTo("a"));
  s3.put("bodies/a", "large");
  s3.fates.push(() => "hang");
  const messages = await receiveAll(connection, 2);
  const begun = systemClock.boottime();
  const looking = bodies({ visibilityMs: 2000, beatMs: 300 }).of(messages, always);
  await eventually("both are extended more than once", () => sqs.proxy.count("ChangeMessageVisibility") >= 4);
  const arrived = await looking;
  expect(arrived.map(said).toSorted()).toEqual([expect.stringMatching(/^later: .*TimeLimit/), "small"]);
  for (const { leasedUntil } of arrived) expect(leasedUntil).toBeGreaterThan(begun + 2500);
  const count = sqs.proxy.count("ChangeMessageVisibility");
  await eventually("a beat would have come", () => systemClock.boottime() > begun + 2800);
  expect(sqs.proxy.count("ChangeMessageVisibility")).toBe(count);
});

test("a message that is another's before its body is there is lost", async () => {
  await sqs.send(queue, pointerTo("a"));
  s3.fates.push(() => "hang");
  sqs.proxy.decide = ({ action }) =>
    action === "ChangeMessageVisibility" ? sqsError("ReceiptHandleIsInvalid", "gone") : "pass";
  const [arrived] = await bodies({ visibilityMs: 1000, beatMs: 300 }).of(await receiveAll(connection, 1), always);
  expect(arrived?.body).toEqual({ kind: "lost" });
});

test("a body is not waited for when nothing can be started any more", async () => {
  await sqs.send(queue, pointerTo("a"));
  await sqs.send(queue, "small");
  s3.put("bodies/a", "x".repeat(1_000_000));
  s3.fates.push((answer) => ({ ...answer, breaks: "stall" }));
  let isWanted = true;
  const looking = bodies().of(await receiveAll(connection, 2), () => isWanted);
  await eventually("the file is begun", () => readdirSync(directory.path).length === 1);
  isWanted = false;
  const arrived = await within("it is given up", looking, 2000);
  expect(arrived.map(said).toSorted()).toEqual(["later: its job could not be started any more", "small"]);
  await connection.close();
  await eventually("the file is gone", () => readdirSync(directory.path).length === 0);
});

test("an object is deleted where that is asked for, and never one that may not be pointed to", async () => {
  s3.put("bodies/a", "large");
  s3.put("others/a", "secret");
  for (const text of ["small", pointerTo("a"), pointerTo("a", "others")]) await sqs.send(queue, text);
  const messages = await receiveAll(connection, 3);
  expect(messages.map((message) => bodies().remove(message))).toEqual([null, null, null]);
  await Promise.all(messages.map((message) => bodies({ pointerPayloads: "delete" }).remove(message)));
  expect([...s3.objects.keys()]).toEqual(["others/a"]);
});

describe("a body that is larger than what a queue can carry", () => {
  const LARGEST_IN_ROW = 1024 * 1024;

  /** The one message, with its body in a file. */
  async function fetched() {
    s3.put("bodies/a", "x".repeat(LARGEST_IN_ROW + 1));
    const id = await sqs.send(queue, pointerTo("a"));
    const looking = bodies();
    const arrived = await looking.of(await receiveAll(connection, 1), always);
    const { body } = only(arrived);
    if (body.kind !== "body" || body.content.kind !== "file") throw new Error(`it is no file: ${body.kind}`);
    return { id, looking, arrived, file: body.content };
  }

  test("is a file that only its owner can read, and that has the name of the worker which fetched it", async () => {
    const { file } = await fetched();
    expect(file.size).toBe(LARGEST_IN_ROW + 1);
    expect(statSync(file.path)).toMatchObject({ size: file.size, mode: 0o100600 });
    expect(basename(file.path)).toStartWith("w.");
  });

  test("is none where it has that size", async () => {
    s3.put("bodies/a", "x".repeat(LARGEST_IN_ROW));
    expect((await looked([pointerTo("a")])).get(pointerTo("a"))).toHaveLength(LARGEST_IN_ROW);
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test("is removed where no job has it, and kept where one has", async () => {
    const { id, looking, arrived, file } = await fetched();
    known.set(id, file);
    looking.discard(arrived);
    expect(existsSync(file.path)).toBe(true);
    known.clear();
    looking.discard(arrived);
    expect(readdirSync(directory.path)).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test("is removed when it came after it had been given up", async () => {
    s3.put("bodies/a", "x".repeat(8 * LARGEST_IN_ROW));
    const go = Promise.withResolvers<void>();
    s3.fates.push((answer) => ({ ...answer, after: go.promise }));
    await sqs.send(queue, pointerTo("a"));
    let isWanted = true;
    const looking = bodies().of(await receiveAll(connection, 1), () => isWanted);
    await eventually("it is asked for", () => s3.asked.length === 1);
    isWanted = false;
    expect((await looking).map(said)).toEqual(["later: its job could not be started any more"]);
    go.resolve();
    await eventually("a file is there", () => readdirSync(directory.path).length === 1);
    await eventually("it is gone", () => readdirSync(directory.path).length === 0);
  });

  test("is removed when its message is another's by then", async () => {
    s3.put("bodies/a", "x".repeat(LARGEST_IN_ROW + 1));
    const go = Promise.withResolvers<void>();
    s3.fates.push((answer) => ({ ...answer, after: go.promise }));
    await sqs.send(queue, pointerTo("a"));
    sqs.proxy.decide = ({ action }) =>
      action === "ChangeMessageVisibility" ? sqsError("ReceiptHandleIsInvalid", "gone") : "pass";
    const looking = bodies({ visibilityMs: 20_000, beatMs: 300 }).of(await receiveAll(connection, 1), always);
    await eventually("a beat was refused", () => sqs.proxy.count("ChangeMessageVisibility") > 0);
    go.resolve();
    expect((await looking).map(said)).toEqual(["lost"]);
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test("is what a message has that comes again, without being fetched again", async () => {
    const { id, arrived, file } = await fetched();
    known.set(id, file);
    const [again] = await bodies().of(
      arrived.map(({ message }) => message),
      always,
    );
    expect(again?.body).toEqual({ kind: "body", content: file });
    expect(s3.asked).toHaveLength(1);
  });
});

describe("a message whose body is a file", () => {
  const commandLine = definition({});

  /** What becomes of a message with this file for its body. */
  async function taken(store: Store, file: Extract<Content, { kind: "file" }>) {
    const settings = { ...DEFAULT_SQS_QUEUE, url: queue };
    const router = new Router({ definitions: new Map(), commandLine, job: null, extra: [] });
    const definitions = new Map([[COMMAND_LINE, commandLine]]);
    const around = { store, router, definitions, worker: "w", clock: systemClock, warn() {} };
    const policy = new QueuePolicy(connection, settings, around);
    const intake = new SqsIntake(settings, policy, { ...around, newId: () => crypto.randomUUID() });
    await sqs.send(queue, pointerTo("a"));
    const message = only(await receiveAll(connection, 1));
    const body = { kind: "body", content: file } as const;
    const arrived = { message, body, routed: null, leasedUntil: Number.POSITIVE_INFINITY };
    return store.write(() => intake.take([arrived], { max: 1, idle: true, without: [] }, ({ job }) => job));
  }

  test("becomes a job that has the file", async () => {
    using at = temporaryStore();
    const file = { kind: "file", path: at.directory.write("body", "x"), size: 1 } as const;
    const { job } = only((await taken(at.store, file)).run);
    expect(at.store.jobs.inputs(job).body).toEqual(file);
  });

  test("becomes none where the file has gone with the job that had it, or is about to", async () => {
    using at = temporaryStore();
    const file = { kind: "file", path: at.directory.write("body", "x"), size: 1 } as const;
    const { seq } = only(await at.submit(newJob({ body: file })));
    await at.store.write(() => at.store.forgetting.forget(seq, 1));
    const notRun = async () => only((await taken(at.store, file)).notRun).what;
    expect(await notRun()).toMatchObject({ kind: "later", why: "the file of its body was removed" });
    at.store.forgetting.removeFiles([file.path]);
    await at.store.write(() => at.store.forgetting.removed([file.path]));
    expect(await notRun()).toMatchObject({ kind: "later" });
    expect(at.store.jobs.list({ phases: [], after: null, owner: null, last: null })).toEqual([]);
  });
});
