import assert from "node:assert/strict";
import type { Attribute, OutgoingMessage } from "../../../src/queue/sqs/message.ts";
import { sqsAnswer, sqsError } from "../../support/fault-proxy.ts";
import { endOf, promise, receiveAll, receiveOne, type SqsCase } from "./bench.ts";

const many = (count: number, fields: Partial<OutgoingMessage> = {}): OutgoingMessage[] =>
  Array.from({ length: count }, (_, index) => ({ body: `${index}`, ...fields }));

const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map<string, Attribute>([
  ["kind", { dataType: "String", text: "resize" }],
  ["size", { dataType: "Number.int", text: "12" }],
  ["icon", { dataType: "Binary.png", bytes: new Uint8Array([0, 255]) }],
]);

export const SENDING: readonly SqsCase[] = [
  promise("messages are sent with their attributes, ten together, each with its id", async (server) => {
    const name = await server.createQueue();
    const connection = await server.connect(name);
    const sent = await connection.send(many(25, { attributes: ATTRIBUTES }));
    assert.equal(server.proxy.count("SendMessageBatch"), 3);
    const received = await receiveAll(connection, 25);
    const bodies = new Map(received.map(({ id, body }) => [id, body]));
    assert.deepEqual(
      sent.map((one) => (one.kind === "ok" ? bodies.get(one.id) : one.kind)),
      many(25).map(({ body }) => body),
    );
    assert.deepEqual(received[0]?.attributes, ATTRIBUTES);
  }),
  promise("a delay, a group, a trace header and a deduplication id get through", async (server) => {
    const name = await server.createQueue();
    const connection = await server.connect(name);
    server.proxy.decide = () => sqsAnswer({ Successful: [{ Id: "0", MessageId: "m" }] });
    await connection.send([
      { body: "a", delaySeconds: 9, groupId: "g", deduplicationId: "d", traceHeader: "Root=1-5759e988" },
    ]);
    assert.deepEqual(server.proxy.seen[0]?.body["Entries"], [
      {
        Id: "0",
        MessageBody: "a",
        DelaySeconds: 9,
        MessageGroupId: "g",
        MessageDeduplicationId: "d",
        MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "Root=1-5759e988" } },
      },
    ]);
  }),
  promise("one message that is refused does not keep the others", async (server) => {
    const name = await server.createQueue({ MaximumMessageSize: "1024" });
    const connection = await server.connect(name);
    const bodies = ["a", "control \u0001", "x".repeat(2000), "b"];
    const sent = await connection.send(bodies.map((body) => ({ body })));
    assert.deepEqual(sent.map(endOf), [
      "ok",
      "refused: InvalidMessageContents",
      "refused: InvalidParameterValue",
      "ok",
    ]);
    assert.deepEqual((await server.waiting(name)).map(({ body }) => body).toSorted(), ["a", "b"]);
    assert.equal(connection.health.worst, null);
  }),
  promise("where a server refuses all for one of them, each is told for itself", async (server) => {
    const name = await server.createQueue();
    const connection = await server.connect(name);
    server.proxy.decide = ({ text }) => (text.includes("bad") ? sqsError("InvalidMessageContents", "no") : "pass");
    const sent = await connection.send(["a", "bad", "b"].map((body) => ({ body })));
    assert.deepEqual(sent.map(endOf), ["ok", "refused: InvalidMessageContents", "ok"]);
    assert.equal((await server.waiting(name)).length, 2);
  }),
  promise("a batch is never larger than 1 MiB; what is larger by itself is refused alone", async (server) => {
    const name = await server.createQueue();
    const connection = await server.connect(name);
    const sizes = [400_000, 400_000, 400_000, 1_100_000, 10];
    const sent = await connection.send(sizes.map((size) => ({ body: "x".repeat(size) })));
    assert.deepEqual(sent.map(endOf), ["ok", "ok", "ok", "refused: BatchRequestTooLong", "ok"]);
  }),
  promise("what may pass is tried again, and only that", async (server) => {
    const name = await server.createQueue();
    const connection = await server.connect(name);
    server.proxy.script("SendMessageBatch", { status: 500, body: "" }, "reset");
    assert.deepEqual((await connection.send(many(3))).map(endOf), ["ok", "ok", "ok"]);
    assert.equal((await server.waiting(name)).length, 3);
    let batches = 0;
    server.proxy.decide = () => {
      batches += 1;
      const Failed = [{ Id: "1", Code: "ServiceUnavailable", SenderFault: false }];
      return batches === 1 ? sqsAnswer({ Successful: [{ Id: "0", MessageId: "m" }], Failed }) : "pass";
    };
    assert.deepEqual((await connection.send(many(2))).map(endOf), ["ok", "ok"]);
    assert.equal((await server.waiting(name)).length, 4);
  }),
  promise("when the queue itself is to blame, the rest is not tried", async (server) => {
    const connection = await server.connect("never-made.fifo");
    const sent = await connection.send(many(200, { groupId: "g" }));
    assert.equal(sent.length, 200);
    assert.ok(sent.every((one) => endOf(one) === "fatal: QueueDoesNotExist"));
    assert.ok(server.proxy.count("SendMessageBatch") < 3);
  }),
  promise("a FIFO queue gets messages in their order, and each once whatever is lost on the way", async (server) => {
    const name = await server.createQueue({ FifoQueue: "true" });
    const connection = await server.connect(name);
    server.proxy.script("SendMessageBatch", "swallow", "cut");
    const messages = many(12, { groupId: "g" }).map((one) => ({ ...one, deduplicationId: one.body }));
    const sent = await connection.send(messages);
    assert.ok(sent.every(({ kind }) => kind === "ok"));
    const order: string[] = [];
    while (order.length < 12) {
      const message = await receiveOne(connection);
      order.push(message.body);
      assert.equal(message.systemAttributes.get("MessageGroupId"), "g");
      await connection.remove(message.receipt);
    }
    assert.deepEqual(
      order,
      many(12).map(({ body }) => body),
    );
    assert.deepEqual(await server.waiting(name), []);
  }),
  promise("a FIFO queue refuses a message without a group, and says so", async (server) => {
    const connection = await server.connect(await server.createQueue({ FifoQueue: "true" }));
    assert.deepEqual((await connection.send(many(1))).map(endOf), ["refused: MissingParameter"]);
  }),
];
