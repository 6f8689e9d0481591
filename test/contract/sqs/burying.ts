import assert from "node:assert/strict";
import { REASON_ATTRIBUTE } from "../../../src/queue/sqs/dead-letters.ts";
import { sqsAnswer, sqsError, type HttpAnswer } from "../../support/fault-proxy.ts";
import type { HeldMessage, SqsServer } from "../../support/sqs-server.ts";
import { endOf, promise, receiveOne, type SqsCase } from "./bench.ts";

const BROKEN: HttpAnswer = { status: 500, body: "" };

/** A message that was received from a queue that has a dead letter queue. */
async function withDoomed(
  server: SqsServer,
  { body = "the body ☃", attributes = {}, queue = {}, message = {}, settings = {} } = {},
) {
  const [name, dead] = await server.createPair(queue);
  await server.send(name, body, { MessageAttributes: attributes, ...message });
  const connection = await server.connect(name, settings);
  return { name, dead, connection, message: await receiveOne(connection) };
}

async function onlyDeadLetter(server: SqsServer, dead: string): Promise<HeldMessage> {
  const [letter, ...more] = await server.waiting(dead);
  assert.ok(letter, "there is a dead letter");
  assert.equal(more.length, 0, "there is only one");
  return letter;
}

const text = (StringValue: string): object => ({ DataType: "String", StringValue });

const attributesOf = (count: number): Record<string, object> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, text("x")]));

export const BURYING: readonly SqsCase[] = [
  promise("a dead letter is the message as it was, with the reason, and is gone from its queue", async (server) => {
    const attributes = {
      kind: text("resize"),
      size: { DataType: "Number.int", StringValue: "12" },
      icon: { DataType: "Binary.png", BinaryValue: "AP8=" },
    };
    const { name, dead, connection, message } = await withDoomed(server, { attributes });
    assert.deepEqual(await connection.bury(message, "exit code 3"), { kind: "ok", copied: true });
    const letter = await onlyDeadLetter(server, dead);
    assert.equal(letter.body, "the body ☃");
    assert.deepEqual(letter.messageAttributes, { ...attributes, [REASON_ATTRIBUTE]: text("exit code 3") });
    assert.deepEqual([await server.waiting(name), await server.inFlight(name)], [[], []]);
  }),
  promise("the reason is left out where it has no room, and replaces an older one", async (server) => {
    const nine = await withDoomed(server, { attributes: attributesOf(9) });
    await nine.connection.bury(nine.message, "why");
    assert.equal(Object.keys((await onlyDeadLetter(server, nine.dead)).messageAttributes).length, 10);
    const ten = await withDoomed(server, { attributes: attributesOf(10) });
    assert.equal((await ten.connection.bury(ten.message, "why")).kind, "ok");
    assert.deepEqual((await onlyDeadLetter(server, ten.dead)).messageAttributes, attributesOf(10));
    const old = await withDoomed(server, { attributes: { ...attributesOf(9), [REASON_ATTRIBUTE]: text("old") } });
    await old.connection.bury(old.message, "new");
    assert.deepEqual((await onlyDeadLetter(server, old.dead)).messageAttributes[REASON_ATTRIBUTE], text("new"));
    const full = await withDoomed(server, { body: "x".repeat(1_048_576) });
    assert.equal((await full.connection.bury(full.message, "why")).kind, "ok");
    assert.deepEqual((await onlyDeadLetter(server, full.dead)).messageAttributes, {});
  }),
  promise("a reason of any length and any characters is made one that SQS takes", async (server) => {
    const { dead, connection, message } = await withDoomed(server);
    assert.equal((await connection.bury(message, `\u0000\u001b[31m\ud800 ☃ ${"x".repeat(5000)}`)).kind, "ok");
    const { [REASON_ATTRIBUTE]: reason } = (await onlyDeadLetter(server, dead)).messageAttributes;
    assert.match(String(reason?.["StringValue"]), /^\ufffd\ufffd\[31m\ufffd ☃ x{2000,}$/);
    const empty = await withDoomed(server);
    assert.equal((await empty.connection.bury(empty.message, "")).kind, "ok");
    assert.deepEqual((await onlyDeadLetter(server, empty.dead)).messageAttributes, {});
  }),
  promise("a queue of dead letters that takes less gets the letter without the reason", async (server) => {
    const { dead, connection, message } = await withDoomed(server, { body: "x".repeat(1000) });
    const QueueUrl = `http://127.0.0.1/000000000000/${dead}`;
    await server.ask("SetQueueAttributes", { QueueUrl, Attributes: { MaximumMessageSize: "1024" } });
    assert.equal((await connection.bury(message, "y".repeat(100))).kind, "ok");
    assert.deepEqual((await onlyDeadLetter(server, dead)).messageAttributes, {});
  }),
  promise("of a FIFO queue the group is kept, and the message's id keeps the copy single", async (server) => {
    const { dead, connection, message } = await withDoomed(server, {
      queue: { FifoQueue: "true" },
      message: { MessageGroupId: "g", MessageDeduplicationId: "the sender's" },
    });
    server.proxy.script("SendMessageBatch", "swallow", "cut");
    assert.equal((await connection.bury(message, "why")).kind, "ok");
    assert.equal(server.proxy.count("SendMessageBatch"), 3);
    const letter = await onlyDeadLetter(server, dead);
    assert.equal(letter.messageGroupId, "g");
    assert.equal(letter.messageDeduplicationId, message.id);
  }),
  promise("a copy whose delete failed is not made again: the next delivery is deleted", async (server) => {
    const { name, dead, connection, message } = await withDoomed(server, { settings: { callLimitMs: 600 } });
    server.proxy.decide = ({ action }) => (action === "DeleteMessageBatch" ? BROKEN : "pass");
    const first = await connection.bury(message, "why");
    assert.deepEqual([first.kind, first.copied], ["transient", true]);
    server.proxy.decide = () => "pass";
    await connection.release(message, 0);
    const again = await receiveOne(connection);
    assert.notEqual(again.receipt, message.receipt);
    assert.deepEqual(await connection.bury(again, "why"), { kind: "ok", copied: true });
    await onlyDeadLetter(server, dead);
    assert.deepEqual([await server.waiting(name), await server.inFlight(name)], [[], []]);
  }),
  promise("another process that knows of the copy makes none either", async (server) => {
    const { name, dead, message } = await withDoomed(server);
    const other = await server.connect(name);
    assert.deepEqual(await other.bury(message, "why", true), { kind: "ok", copied: true });
    assert.deepEqual([await server.waiting(dead), await server.inFlight(name)], [[], []]);
  }),
  promise("two that bury the same message at once make one copy", async (server) => {
    const { dead, connection, message } = await withDoomed(server);
    const ends = await Promise.all([connection.bury(message, "a"), connection.bury(message, "b")]);
    assert.deepEqual(ends, [
      { kind: "ok", copied: true },
      { kind: "ok", copied: true },
    ]);
    await onlyDeadLetter(server, dead);
  }),
  promise("nothing is deleted of which there is no copy", async (server) => {
    const { name, dead, connection, message } = await withDoomed(server, { settings: { callLimitMs: 600 } });
    const denied = sqsError("AccessDenied", "not authorized to perform: sqs:sendmessage", { status: 403 });
    for (const [answer, end] of [
      [BROKEN, "transient: Unknown"],
      [denied, "refused: AccessDenied"],
      [sqsError("InvalidMessageContents", "no"), "refused: InvalidMessageContents"],
      [sqsError("KmsDisabled", "no"), "refused: KmsDisabled"],
      [sqsError("QueueDoesNotExist", "no"), "no dead letter queue"],
      [sqsError("ExpiredToken", "no", { status: 403 }), "fatal: ExpiredToken"],
    ] as const) {
      server.proxy.decide = ({ action }) => (action === "SendMessageBatch" ? answer : "pass");
      const outcome = await connection.bury(message, "why");
      assert.deepEqual([endOf(outcome), outcome.copied], [end, false]);
      assert.match("message" in outcome ? outcome.message : "", new RegExp(`SendMessageBatch on ${dead}: `));
    }
    assert.equal(server.proxy.count("DeleteMessageBatch"), 0);
    assert.equal((await server.inFlight(name)).length, 1);
  }),
  promise("where there is no dead letter queue, the outcome says which queue and which policy", async (server) => {
    const name = await server.createQueue();
    await server.send(name, "a");
    const connection = await server.connect(name);
    const message = await receiveOne(connection);
    const policies: [string | undefined, RegExp][] = [
      [undefined, /has no redrive policy/],
      ["{", /no JSON object/],
      ['{"maxReceiveCount":"x","deadLetterTargetArn":"arn"}', /maxReceiveCount is "x"/],
      ['{"maxReceiveCount":3}', /names no dead letter queue/],
      ['{"maxReceiveCount":3,"deadLetterTargetArn":"arn:aws:sns:eu-west-1:1:topic"}', /no queue's ARN/],
      ['{"maxReceiveCount":3,"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:nowhere"}', /does not exist/],
    ];
    for (const [policy, expected] of policies) {
      const Attributes = { VisibilityTimeout: "30", ...(policy !== undefined && { RedrivePolicy: policy }) };
      server.proxy.decide = ({ action }) => (action === "GetQueueAttributes" ? sqsAnswer({ Attributes }) : "pass");
      const outcome = await connection.bury(message, "why");
      assert.deepEqual([outcome.kind, outcome.copied], ["no dead letter queue", false]);
      assert.match("message" in outcome ? outcome.message : "", expected);
      assert.match("message" in outcome ? outcome.message : "", new RegExp(name));
    }
    assert.equal(server.proxy.count("DeleteMessageBatch"), 0);
  }),
  promise("the dead letter queue is asked for by its name and its owner's account", async (server) => {
    const { connection, message } = await withDoomed(server);
    const policy = { maxReceiveCount: "3", deadLetterTargetArn: "arn:aws:sqs:us-east-1:210987654321:theirs" };
    const answers: Readonly<Record<string, HttpAnswer>> = {
      GetQueueAttributes: sqsAnswer({ Attributes: { RedrivePolicy: JSON.stringify(policy) } }),
      GetQueueUrl: sqsAnswer({ QueueUrl: "https://elsewhere/210987654321/theirs" }),
      SendMessageBatch: sqsAnswer({ Successful: [{ Id: "0", MessageId: "m" }] }),
    };
    server.proxy.decide = ({ action }) => answers[action] ?? "pass";
    assert.equal((await connection.bury(message, "why")).kind, "ok");
    const asked = server.proxy.seen.find(({ action }) => action === "GetQueueUrl")?.body;
    assert.deepEqual(asked, { QueueName: "theirs", QueueOwnerAWSAccountId: "210987654321" });
    const sent = server.proxy.seen.find(({ action }) => action === "SendMessageBatch")?.body;
    assert.equal(sent?.["QueueUrl"], "https://elsewhere/210987654321/theirs");
  }),
  promise("where its URL may not be asked for, it is made of the queue's own", async (server) => {
    const { dead, connection, message } = await withDoomed(server);
    const denied = sqsError("AccessDenied", "no", { status: 403 });
    server.proxy.decide = ({ action }) => (action === "GetQueueUrl" ? denied : "pass");
    assert.equal((await connection.bury(message, "why")).kind, "ok");
    await onlyDeadLetter(server, dead);
    assert.equal(connection.health.worst, null);
  }),
  promise("where the policy may not be read, the message is left to it", async (server) => {
    const { connection, message } = await withDoomed(server);
    const denied = sqsError("AccessDenied", "no", { status: 403 });
    server.proxy.decide = ({ action }) => (action === "GetQueueAttributes" ? denied : "pass");
    const outcome = await connection.bury(message, "why");
    assert.deepEqual([endOf(outcome), outcome.copied], ["refused: RedrivePolicyUnknown", false]);
    assert.equal(server.proxy.count("SendMessageBatch"), 0);
  }),
  promise("all that a copy takes has the time of one call", async (server) => {
    const { connection, message } = await withDoomed(server, { settings: { callLimitMs: 500 } });
    server.proxy.decide = () => ({ delayMs: 300 });
    const before = performance.now();
    const outcome = await connection.bury(message, "why");
    assert.ok(performance.now() - before < 1400);
    assert.deepEqual([endOf(outcome), outcome.copied], ["transient: TimeLimit", false]);
    assert.equal(server.proxy.count("DeleteMessageBatch"), 0);
  }),
  promise("many letters ask for the way once, and are deleted together", async (server) => {
    const { name, dead, connection, message } = await withDoomed(server);
    for (const body of ["a", "b", "c"]) await server.send(name, body);
    const messages = [
      message,
      await receiveOne(connection),
      await receiveOne(connection),
      await receiveOne(connection),
    ];
    await connection.bury(messages[0] ?? message, "why");
    await Promise.all(messages.slice(1).map((one) => connection.bury(one, "why")));
    assert.equal((await server.waiting(dead)).length, 4);
    assert.equal(server.proxy.count("GetQueueUrl"), 1);
    // On a slow machine not all of them meet.
    assert.ok(server.proxy.count("DeleteMessageBatch") < messages.length);
  }),
];
