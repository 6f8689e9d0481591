import assert from "node:assert/strict";
import { systemClock } from "../../../src/clock.ts";
import type { ReceivedMessage } from "../../../src/queue/sqs/message.ts";
import { sqsAnswer, sqsError, type HttpAnswer, type Seen } from "../../support/fault-proxy.ts";
import { within } from "../../support/eventually.ts";
import type { SqsServer } from "../../support/sqs-server.ts";
import { endOf, promise, receiveAll, receiveOne, valueOf, type SqsCase } from "./bench.ts";

const HOUR_MS = 3_600_000;

/** As AWS tells it: https://github.com/aws/aws-sdk-js/issues/1279, https://github.com/mapbox/ecs-watchbot/issues/135 */
const invalid = (reason: string): HttpAnswer =>
  sqsError("InvalidParameterValue", `Value AQEB for parameter ReceiptHandle is invalid. Reason: ${reason}`);

const LOST: readonly HttpAnswer[] = [
  invalid("Message does not exist or is not available for visibility timeout change."),
  invalid("The receipt handle has expired."),
  sqsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", { status: 404 }),
  sqsError("MessageNotInflight", "not in flight", { olderName: "AWS.SimpleQueueService.MessageNotInflight" }),
  { status: 400, body: '{"__type":"AWS.SimpleQueueService.ReceiptHandleIsInvalid","message":"as old servers say"}' },
];

interface Entry {
  readonly Id: string;
  readonly ReceiptHandle: string;
}

/** The entries of a batch as it came by. */
const entriesOf = ({ body }: Seen): readonly Entry[] => (body["Entries"] ?? []) as readonly Entry[];

const failed = ({ Id }: Entry, Code: string, SenderFault: boolean): object => ({
  Id,
  Code,
  SenderFault,
  Message: "so",
});

async function withMessages(server: SqsServer, count: number) {
  const name = await server.createQueue();
  const connection = await server.connect(name);
  await connection.send(Array.from({ length: count }, (_, index) => ({ body: `${index}` })));
  const messages = await receiveAll(connection, count);
  server.proxy.seen.length = 0;
  return { name, connection, messages };
}

async function withOne(server: SqsServer) {
  const { name, connection, messages } = await withMessages(server, 1);
  // There is exactly one.
  return { name, connection, message: messages[0] as ReceivedMessage };
}

export const SETTLING: readonly SqsCase[] = [
  promise("a lease is extended from now on", async (server) => {
    const { name, connection, message } = await withOne(server);
    assert.deepEqual(await connection.extend(message, 500), { kind: "ok", grantedSeconds: 500 });
    const [held] = await server.inFlight(name);
    const seconds = ((held?.visibilityDeadline ?? 0) - Date.now()) / 1000;
    assert.ok(seconds > 450 && seconds <= 500, `${seconds} s`);
  }),
  promise("no lease is longer than 12 hours since its receipt, nor is a release", async (server) => {
    const { name } = await withOne(server);
    let passedMs = 0;
    const clock = { ...systemClock, boottime: () => systemClock.boottime() + passedMs };
    const connection = await server.connect(name, {}, { clock });
    server.proxy.decide = () => sqsAnswer({});
    const delivery = { receipt: "r", receivedAt: systemClock.boottime() };
    const granted: unknown[] = [];
    for (const hours of [0, 6, 11.9]) {
      passedMs = hours * HOUR_MS;
      const extended = await connection.extend(delivery, 12 * 3600);
      await connection.release(delivery, 12 * 3600);
      granted.push("grantedSeconds" in extended && extended.grantedSeconds);
    }
    const asked = server.proxy.seen.map(({ body }) => body["VisibilityTimeout"]);
    for (const [index, seconds] of [43_170, 21_570, 330].entries()) {
      for (const given of [granted[index], asked[2 * index], asked[2 * index + 1]]) {
        const off = seconds - Number(given);
        assert.ok(off >= 0 && off < 30, `${seconds} and ${String(given)}`);
      }
    }
    passedMs = 13 * HOUR_MS;
    assert.equal(connection.remainingSeconds(delivery), 0);
    server.proxy.seen.length = 0;
    assert.equal(endOf(await connection.extend(delivery, 60)), "lease lost: TwelveHours");
    assert.deepEqual(server.proxy.seen, [], "nothing was asked: it would have ended the lease");
  }),
  promise("what is released is there again, at once or later", async (server) => {
    const { name, connection, message } = await withOne(server);
    assert.equal((await connection.release(message, 600)).kind, "ok");
    const [held] = await server.inFlight(name);
    assert.ok((held?.visibilityDeadline ?? 0) > Date.now() + 500_000);
    assert.equal((await connection.release(message, 0)).kind, "ok");
    assert.equal((await receiveOne(connection)).id, message.id);
  }),
  promise("an extension and a release are tried again, as long as they may take", async (server) => {
    const { connection, message } = await withOne(server);
    const broken = { status: 500, body: "" };
    server.proxy.script("ChangeMessageVisibility", broken, "reset", broken);
    assert.equal((await connection.extend(message, 5)).kind, "ok");
    server.proxy.script("ChangeMessageVisibility", "swallow", broken);
    assert.equal((await connection.release(message, 5)).kind, "ok");
    server.proxy.decide = () => "hang";
    const before = performance.now();
    assert.equal(endOf(await connection.extend(message, 5, 200)), "transient: TimeLimit");
    assert.ok(performance.now() - before < 1500);
    server.proxy.forget();
    assert.equal(endOf(await connection.extend(message, 5, 0)), "transient: TimeLimit");
    assert.deepEqual(server.proxy.seen, [], "what could not be waited for is not asked");
  }),
  promise("a lost lease is told as such, in all the ways that servers say it", async (server) => {
    const { connection, message } = await withOne(server);
    for (const answer of LOST) {
      server.proxy.decide = () => answer;
      assert.equal((await connection.extend(message, 5)).kind, "lease lost", String(answer.body));
      assert.equal((await connection.release(message, 5)).kind, "lease lost");
      assert.equal((await connection.remove(message.receipt)).kind, "lease lost");
    }
    assert.equal(connection.health.worst, null, "that says nothing against the queue");
  }),
  promise("a receipt that a later delivery has made stale is a lost lease", async (server) => {
    const { connection, message } = await withOne(server);
    await connection.release(message, 0);
    await receiveOne(connection);
    assert.equal(endOf(await connection.extend(message, 5)), "lease lost: MessageNotInflight");
  }),
  promise("deletes go together, by ten or after a short while, and each has its outcome", async (server) => {
    const { name, connection, messages } = await withMessages(server, 25);
    const outcomes = await Promise.all(messages.map(({ receipt }) => connection.remove(receipt)));
    assert.ok(outcomes.every(({ kind }) => kind === "ok"));
    const sizes = server.proxy.seen.map((request) => entriesOf(request).length);
    assert.deepEqual(sizes, [10, 10, 5]);
    for (const request of server.proxy.seen) {
      const ids = entriesOf(request).map(({ Id }) => Id);
      assert.equal(new Set(ids).size, ids.length, "ids are distinct");
    }
    assert.deepEqual(await server.inFlight(name), []);
  }),
  promise("a batch that half failed is told entry by entry, and what may pass is asked again alone", async (server) => {
    const { connection, messages } = await withMessages(server, 5);
    let batches = 0;
    server.proxy.decide = (request) => {
      batches += 1;
      const entries = entriesOf(request);
      if (batches > 1) return sqsAnswer({ Successful: entries.map(({ Id }) => ({ Id })) });
      const [done, stale, busy, denied] = entries as readonly [Entry, Entry, Entry, Entry];
      // The fifth is not in the answer at all.
      return sqsAnswer({
        Successful: [{ Id: done.Id }],
        Failed: [
          failed(stale, "ReceiptHandleIsInvalid", true),
          failed(busy, "InternalError", false),
          failed(denied, "AccessDenied", true),
        ],
      });
    };
    const outcomes = await Promise.all(messages.map(({ receipt }) => connection.remove(receipt)));
    assert.deepEqual(outcomes.map(endOf), [
      "ok",
      "lease lost: ReceiptHandleIsInvalid",
      "ok",
      "fatal: AccessDenied",
      "ok",
    ]);
    const [, again] = server.proxy.seen;
    assert.ok(again);
    assert.deepEqual(
      entriesOf(again).map(({ ReceiptHandle }) => ReceiptHandle),
      [messages[2]?.receipt, messages[4]?.receipt],
    );
  }),
  promise("of a batch of which nothing was done, each entry has its own reason", async (server) => {
    const { connection, messages } = await withMessages(server, 2);
    server.proxy.decide = (request) => {
      const [first, second] = entriesOf(request) as readonly [Entry, Entry];
      return sqsAnswer({
        Failed: [failed(first, "AccessDenied", true), failed(second, "ReceiptHandleIsInvalid", true)],
      });
    };
    const outcomes = await Promise.all(messages.map(({ receipt }) => connection.remove(receipt)));
    assert.deepEqual(outcomes.map(endOf), ["fatal: AccessDenied", "lease lost: ReceiptHandleIsInvalid"]);
    assert.equal(connection.health.worst?.lastFailure?.failure.name, "AccessDenied");
  }),
  promise("a delete is tried again when the answer, or the whole request, was lost", async (server) => {
    const { name, connection, messages } = await withMessages(server, 2);
    server.proxy.script("DeleteMessageBatch", "swallow", "reset", { status: 503, body: "" }, "cut");
    const outcomes = await Promise.all(messages.map(({ receipt }) => connection.remove(receipt)));
    assert.deepEqual(outcomes.map(endOf), ["ok", "ok"]);
    assert.deepEqual(await server.inFlight(name), []);
  }),
  promise("a call ends within its limit, whatever the server does", async (server) => {
    const { name, message } = await withOne(server);
    const connection = await server.connect(name, { callLimitMs: 300 });
    for (const fate of ["hang", "stall", { status: 500, body: "" }] as const) {
      server.proxy.decide = () => fate;
      const calls = [connection.remove(message.receipt), connection.release(message, 1), connection.extend(message, 1)];
      const outcomes = await within(
        "their end",
        Promise.all<{ readonly kind: string }>([...calls, connection.facts()]),
        1500,
      );
      assert.ok(outcomes.every(({ kind }) => kind === "transient"));
    }
    assert.equal((await connection.remove(message.receipt)).kind, "transient");
    assert.equal(connection.health.requests.length, 3);
  }),
  promise("on a FIFO queue, and in a hurry, no delete waits for others", async (server) => {
    const standard = await server.createQueue();
    const fifo = await server.createQueue({ FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const name of [standard, fifo]) {
      const connection = await server.connect(name, { flushDelayMs: 3_600_000 });
      await connection.send([{ body: "one", ...(name === fifo && { groupId: "a" }) }]);
      const deleted = connection.remove((await receiveOne(connection)).receipt);
      if (name === standard) connection.hurry(true);
      assert.deepEqual(await within("it is deleted", deleted), { kind: "ok" });
    }
  }),

  promise("deletes that wait are sent before the connection closes", async (server) => {
    const { name, connection, messages } = await withMessages(server, 3);
    const removing = messages.map(({ receipt }) => connection.remove(receipt));
    await connection.close();
    assert.deepEqual((await Promise.all(removing)).map(endOf), ["ok", "ok", "ok"]);
    assert.deepEqual(await server.inFlight(name), []);
    assert.equal(endOf(await connection.receive(1, 0)), "transient: Closed");
  }),
  promise("a queue that is gone, or that may not be used, is fatal", async (server) => {
    const { connection, message } = await withOne(server);
    server.proxy.decide = () =>
      sqsError("AccessDenied", "not authorized to perform: sqs:deletemessage", { status: 403 });
    const denied = await connection.remove(message.receipt);
    assert.equal(endOf(denied), "fatal: AccessDenied");
    assert.match(denied.kind === "ok" ? "" : (denied.hint ?? ""), /sqs:DeleteMessage;/);
    server.proxy.decide = () => "pass";
    const gone = await server.connect("never-made");
    assert.equal(endOf(await gone.receive(1, 0)), "fatal: QueueDoesNotExist");
    assert.equal(endOf(await gone.facts()), "fatal: QueueDoesNotExist");
    assert.equal(valueOf(await connection.facts()).isFifo, false);
  }),
];
