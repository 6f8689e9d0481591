import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../../src/config/queue-definition.ts";
import { SqsBodies, type Arrived } from "../../src/queue/sqs-bodies.ts";
import type { SqsConnection } from "../../src/queue/sqs/connection.ts";
import { receiveAll } from "../contract/sqs/bench.ts";
import { eventually, within } from "../support/eventually.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { S3Server, s3Error } from "../support/s3-server.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { temporaryDirectory, type TemporaryDirectory } from "../support/temporary.ts";

const pointerTo = (key: string, bucket = "bodies"): string =>
  `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"${bucket}","s3Key":"${key}"}]`;

let sqs: SqsServer;
let s3: S3Server;
let directory: TemporaryDirectory;
let queue: string;
let connection: SqsConnection;
/** Bodies of jobs that are in the store, by the id of their message. */
const known = new Map<string, Uint8Array>();

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
});
afterEach(async () => {
  await connection.close();
  await s3[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

function bodies(settings: Partial<SqsQueueDefinition> = {}): SqsBodies {
  const definition = { ...DEFAULT_SQS_QUEUE, url: queue, pointerBuckets: ["bodies"], ...settings };
  const deliveries = { bodyOf: (_: string, messageId: string) => known.get(messageId) ?? null };
  const location = { worker: () => directory.path };
  return new SqsBodies({
    connection,
    definition,
    store: { deliveries, location },
    worker: "w",
    clock: systemClock,
    newId: () => crypto.randomUUID(),
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
      return Buffer.from(body.bytes).toString();
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
  known.set(await sqs.send(queue, pointerTo("a")), Buffer.from("as it was"));
  const [arrived] = await bodies().of(await receiveAll(connection, 1), always);
  expect(arrived && said(arrived)).toBe("as it was");
  expect(s3.asked).toEqual([]);
});

test("a job that has nothing but the pointer gets no pointer for a body", async () => {
  s3.put("bodies/a", "large");
  known.set(await sqs.send(queue, pointerTo("a")), Buffer.from(pointerTo("a")));
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
