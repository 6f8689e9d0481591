import assert from "node:assert/strict";
import { FaultProxy, sqsAnswer, sqsError, type Fate } from "../../support/fault-proxy.ts";
import { eventually, within } from "../../support/eventually.ts";
import { promise, receiveAll, receiveOne, valueOf, type SqsCase } from "./bench.ts";

const FEW_ATTRIBUTES = {
  text: { DataType: "String", StringValue: "a ☃" },
  number: { DataType: "Number", StringValue: "12345678901234567890.5" },
  labelled: { DataType: "Number.int", StringValue: "7" },
  binary: { DataType: "Binary", BinaryValue: "AP8=" },
  image: { DataType: "Binary.png", BinaryValue: "AQI=" },
};

/** What befalls a poll, and passes. */
const PASSING: readonly (readonly [what: string, fate: Fate])[] = [
  ["the connection is closed at once", "close"],
  ["the connection is reset", "reset"],
  ["the answer stops in its middle", "cut"],
  ["the answer is swallowed", "swallow"],
  ["nothing is answered", "hang"],
  ["the answer never ends", "stall"],
  ["500 without a body", { status: 500, body: "" }],
  ["503 of a load balancer", { status: 503, body: "<html>Service Unavailable</html>" }],
  ["an internal error", sqsError("InternalError", "try again", { status: 500 })],
  ["throttled", sqsError("ThrottlingException", "Rate exceeded")],
  ["throttled as 429", { status: 429, body: "" }],
  ["too much in flight", sqsError("OverLimit", "too many in flight", { status: 403 })],
  ["the encryption key's service throttles", sqsError("KmsThrottled", "later")],
  ["200 and HTML", { status: 200, body: "<html>log in</html>" }],
  ["200 and half of JSON", { status: 200, body: '{"Messages":[{' }],
  ["200 and messages that are none", sqsAnswer({ Messages: "x" })],
  ["200 and a list of nonsense", sqsAnswer({ Messages: [1, null, { MessageId: 5 }, {}] })],
  ["404 of another server", { status: 404, body: "no such page" }],
  ["403 of a proxy", { status: 403, body: "<html>blocked</html>" }],
];

export const RECEIVING: readonly SqsCase[] = [
  promise(
    "a message comes with its body, its attributes and their types, and all that the queue knows",
    async (server) => {
      const name = await server.createQueue();
      const id = await server.send(name, "the body ☃", { MessageAttributes: FEW_ATTRIBUTES });
      const before = Date.now();
      const message = await receiveOne(await server.connect(name));
      assert.equal(message.id, id);
      assert.equal(message.body, "the body ☃");
      assert.deepEqual(Object.fromEntries(message.attributes), {
        text: { dataType: "String", text: "a ☃" },
        number: { dataType: "Number", text: "12345678901234567890.5" },
        labelled: { dataType: "Number.int", text: "7" },
        binary: { dataType: "Binary", bytes: new Uint8Array([0, 255]) },
        image: { dataType: "Binary.png", bytes: new Uint8Array([1, 2]) },
      });
      assert.equal(message.receiveCount, 1);
      assert.ok(Math.abs((message.sentAt ?? 0) - before) < 60_000);
      assert.ok(Math.abs((message.firstReceivedAt ?? 0) - before) < 60_000);
      assert.equal(message.systemAttributes.get("SenderId"), "000000000000");
      assert.ok(performance.now() - message.receivedAt < 60_000);
    },
  ),
  promise("a body of 1 MiB comes whole", async (server) => {
    const name = await server.createQueue();
    const body = "0123456789abcdef".repeat(65_536);
    await server.send(name, body);
    assert.equal((await receiveOne(await server.connect(name))).body, body);
  }),
  promise("each delivery is counted, and has a receipt of its own", async (server) => {
    const name = await server.createQueue();
    await server.send(name, "a");
    const connection = await server.connect(name);
    const receipts = new Set<string>();
    for (const count of [1, 2, 3]) {
      const message = await receiveOne(connection);
      assert.equal(message.receiveCount, count);
      receipts.add(message.receipt);
      assert.equal((await connection.release(message, 0)).kind, "ok");
    }
    assert.equal(receipts.size, 3);
  }),
  promise("where the server counts nothing, the count is unknown", async (server) => {
    const connection = await server.connect(await server.createQueue());
    const attributes = { ApproximateReceiveCount: "0", SentTimestamp: "soon" };
    for (const fields of [{}, { Attributes: attributes }]) {
      const message = { MessageId: "m", ReceiptHandle: "r", Body: "b", ...fields };
      server.proxy.decide = () => sqsAnswer({ Messages: [message] });
      const { receiveCount, sentAt, firstReceivedAt } = await receiveOne(connection);
      assert.deepEqual(
        { receiveCount, sentAt, firstReceivedAt },
        { receiveCount: null, sentAt: null, firstReceivedAt: null },
      );
    }
  }),
  promise(
    "no more is asked for than can be used, nor more than SQS gives; for nothing, nothing is asked",
    async (server) => {
      const connection = await server.connect(await server.createQueue());
      for (const [max, wait] of [
        [3, 0],
        [25, -1],
        [0, 0],
        [-1, 0],
      ] as const)
        valueOf(await connection.receive(max, wait));
      const asked = server.proxy.seen.map(({ body }) => [body["MaxNumberOfMessages"], body["WaitTimeSeconds"]]);
      assert.deepEqual(asked, [
        [3, 0],
        [10, 0],
      ]);
    },
  ),
  promise("a poll waits for a message and ends when it comes", async (server) => {
    const name = await server.createQueue();
    const polling = (await server.connect(name)).receive(10, 20);
    await eventually("the poll is there", () => server.proxy.count("ReceiveMessage") === 1);
    await server.send(name, "late");
    const [message] = valueOf(await within("the message", polling, 5000));
    assert.equal(message?.body, "late");
  }),
  promise("a poll that finds nothing ends with its wait, which is no error", async (server) => {
    const connection = await server.connect(await server.createQueue(), { pollMarginMs: 900 });
    assert.deepEqual(await connection.receive(1, 1), { kind: "ok", value: [] });
    assert.equal(connection.health.worst, null);
  }),
  ...PASSING.map(([what, fate]) =>
    promise(`a poll that fails passes: ${what}`, async (server) => {
      const name = await server.createQueue();
      // By a connection that was used before Deno itself would ask again, if it is closed without a word.
      await using proxy = await FaultProxy.start(server.origin);
      const connection = await server.connect(name, { endpoint: proxy.origin, pollMarginMs: 250 });
      proxy.script("ReceiveMessage", fate);
      const answer = await within("the poll's end", connection.receive(1, 0), 3000);
      assert.equal(answer.kind, "transient", JSON.stringify(answer));
      assert.match("message" in answer ? answer.message : "", /^ReceiveMessage on queue-\d+: .{5}/);
      assert.equal(connection.health.worst?.action, "ReceiveMessage");
      await server.send(name, "there");
      assert.equal((await receiveOne(connection)).body, "there");
      assert.equal(connection.health.worst, null);
    }),
  ),
  promise("a redirection is not followed: the request was signed for this server", async (server) => {
    await using other = await FaultProxy.start(server.origin);
    const connection = await server.connect(await server.createQueue());
    const location = `${other.origin}/`;
    for (const status of [301, 302, 307, 308]) {
      server.proxy.decide = () => ({ status, headers: { location }, body: "" });
      assert.equal((await connection.receive(1, 0)).kind, "transient");
    }
    assert.deepEqual(other.seen, []);
  }),
  promise("a message whose delivery was swallowed comes back by itself, with that delivery counted", async (server) => {
    const name = await server.createQueue({ VisibilityTimeout: "1" });
    await server.send(name, "a");
    const connection = await server.connect(name);
    server.proxy.script("ReceiveMessage", "swallow and hang");
    assert.equal((await connection.receive(1, 0)).kind, "transient");
    assert.equal((await receiveOne(connection)).receiveCount, 2);
  }),
  promise("of an answer that is broken in parts, the good parts are used", async (server) => {
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const connection = await server.connect(await server.createQueue(), {}, { warn });
    const good = { MessageId: "m", ReceiptHandle: "r", Body: "b" };
    const broken = [
      null,
      7,
      {},
      { ...good, ReceiptHandle: "" },
      { ...good, MessageId: undefined },
      { ...good, Body: 3 },
    ];
    server.proxy.decide = () => sqsAnswer({ Messages: [...broken, good] });
    assert.deepEqual(
      valueOf(await connection.receive(10, 0)).map(({ id }) => id),
      ["m"],
    );
    assert.match(warnings.join(), /^ReceiveMessage on queue-\d+: 6 of 7 that came are no messages \(Nonsense\)$/);
  }),
  promise("polls that hang leave room for a beat", async (server) => {
    const name = await server.createQueue();
    await server.send(name, "a");
    const connection = await server.connect(name);
    const message = await receiveOne(connection);
    server.proxy.decide = ({ action }) => (action === "ReceiveMessage" ? "hang" : "pass");
    const polls = Array.from({ length: 300 }, () => connection.receive(1, 20));
    await eventually("many polls wait", () => server.proxy.count("ReceiveMessage") >= 100);
    assert.equal((await within("the beat", connection.extend(message, 30), 2000)).kind, "ok");
    await connection.close();
    const ends = await within("the polls' end", Promise.all(polls), 5000);
    assert.ok(ends.every((end) => end.kind === "transient" && end.name === "Closed"));
  }),
  promise("what many polls bring at once is each message once", async (server) => {
    const name = await server.createQueue();
    const connection = await server.connect(name);
    await connection.send(Array.from({ length: 40 }, (_, index) => ({ body: `${index}` })));
    const parts = await Promise.all([receiveAll(connection, 20), receiveAll(connection, 20)]);
    assert.equal(new Set(parts.flat().map(({ id }) => id)).size, 40);
  }),
];
