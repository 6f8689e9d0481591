import assert from "node:assert/strict";
import { systemClock } from "../../../src/clock.ts";
import { FaultProxy, sqsAnswer, sqsError, type HttpAnswer } from "../../support/fault-proxy.ts";
import { endOf, promise, receiveOne, valueOf, type SqsCase } from "./bench.ts";

/** What servers answer, and what it means for a poll. */
const ANSWERS: readonly (readonly [end: string, HttpAnswer])[] = [
  ["fatal", sqsError("QueueDoesNotExist", "no", { olderName: "AWS.SimpleQueueService.NonExistentQueue" })],
  ["fatal", { status: 400, body: '{"__type":"AWS.SimpleQueueService.NonExistentQueue","message":"ElasticMQ, once"}' }],
  ["fatal", { status: 404, body: '{"__type":"QueueNotFound","message":"GoAWS"}' }],
  ["fatal", sqsError("AccessDeniedException", "no", { status: 403 })],
  [
    "fatal",
    sqsError("InvalidClientTokenId", "The security token included in the request is invalid.", { status: 403 }),
  ],
  ["fatal", sqsError("ExpiredToken", "The security token included in the request is expired", { status: 403 })],
  ["fatal", sqsError("SignatureDoesNotMatch", "does not match the signature you provided", { status: 403 })],
  ["fatal", sqsError("InvalidAddress", "The address is not valid for this endpoint.", { status: 404 })],
  ["fatal", sqsError("KmsAccessDenied", "no", { olderName: "KMS.AccessDeniedException" })],
  ["fatal", sqsError("UnsupportedOperation", "no")],
  ["refused", sqsError("InvalidParameterValue", "Value 11 for parameter MaxNumberOfMessages is invalid")],
  ["refused", { status: 400, body: '{"__type":"SomethingNew","message":"of next year"}' }],
  ["transient", sqsError("RequestThrottled", "slow down")],
  ["transient", sqsError("RequestExpired", "it is late")],
  ["transient", { status: 599, body: '{"__type":"SomethingNew"}' }],
];

export const FACTS: readonly SqsCase[] = [
  promise("a queue tells how it is set", async (server) => {
    const attributes = { VisibilityTimeout: "77", ReceiveMessageWaitTimeSeconds: "3", MessageRetentionPeriod: "3600" };
    const [name, dead] = await server.createPair(attributes, "4");
    const facts = valueOf(await (await server.connect(name)).facts());
    assert.deepEqual(facts, {
      isFifo: false,
      visibilitySeconds: 77,
      waitSeconds: 3,
      retentionSeconds: 3600,
      maxMessageBytes: 1_048_576,
      arn: `arn:aws:sqs:us-east-1:000000000000:${name}`,
      redrive: { kind: "set", maxReceiveCount: 4, deadLetterArn: `arn:aws:sqs:us-east-1:000000000000:${dead}` },
    });
  }),
  promise("FIFO is what is named so; a group id alone does not make a queue one", async (server) => {
    const fifo = await server.connect(await server.createQueue({ FifoQueue: "true" }));
    assert.equal(valueOf(await fifo.facts()).isFifo, true);
    const fair = await server.createQueue();
    await server.send(fair, "a", { MessageGroupId: "g" });
    const connection = await server.connect(fair);
    await receiveOne(connection);
    assert.equal(valueOf(await connection.facts()).isFifo, false);
  }),
  promise("what may not be read is unknown, and said to be", async (server) => {
    const connection = await server.connect(await server.createQueue());
    const denied = sqsError("AccessDenied", "not authorized to perform: sqs:getqueueattributes", { status: 403 });
    for (const answer of [denied, sqsAnswer({}), sqsAnswer({ Attributes: {} })]) {
      server.proxy.decide = () => answer;
      const { redrive, visibilitySeconds } = valueOf(await connection.facts());
      assert.deepEqual([redrive.kind, visibilitySeconds], ["unknown", null]);
      assert.ok("why" in redrive && redrive.why !== "");
    }
    assert.equal(connection.health.worst, null);
  }),
  promise("errors are judged by their names, whichever server says them", async (server) => {
    const connection = await server.connect(await server.createQueue());
    for (const [end, answer] of ANSWERS) {
      server.proxy.decide = () => answer;
      const outcome = await connection.receive(1, 0);
      assert.equal(outcome.kind, end, `${String(answer.body)}: ${JSON.stringify(outcome)}`);
    }
  }),
  promise("a region that cannot be one is fatal", async (server) => {
    const connection = await server.connect(await server.createQueue(), { region: "not a region/" });
    assert.equal((await connection.receive(1, 0)).kind, "fatal");
    assert.deepEqual(server.proxy.seen, []);
  }),
  promise("a signature that is refused for its time is made by the server's clock the next time", async (server) => {
    const connection = await server.connect(await server.createQueue());
    const serverTime = Date.now() - 7_200_000;
    const early = sqsError("InvalidSignatureException", "Signature not yet current: 20260101T000000Z is still later", {
      status: 403,
    });
    const date = new Date(serverTime).toUTCString();
    server.proxy.script("ReceiveMessage", { ...early, headers: { ...early.headers, date } });
    assert.equal((await connection.receive(1, 0)).kind, "transient");
    assert.equal((await connection.receive(1, 0)).kind, "ok");
    const [wrong = 0, right = 0] = server.proxy.seen.map(({ headers }) =>
      parseAmzDate(headers.get("x-amz-date") ?? ""),
    );
    assert.ok(Math.abs(wrong - Date.now()) < 60_000, "first by this machine's clock");
    assert.ok(Math.abs(right - serverTime) < 60_000, "then by the server's");
  }),
  promise("by a clock that is far off, a lease that is lost is lost, and no permission is none", async (server) => {
    const connection = await server.connect(await server.createQueue());
    const date = new Date(Date.now() - 7_200_000).toUTCString();
    const lost = sqsError("ReceiptHandleIsInvalid", "The receipt handle has expired.");
    const denied = sqsError("AccessDenied", "not authorized", { status: 403 });
    for (const [answer, end] of [
      [lost, "lease lost"],
      [denied, "fatal"],
    ] as const) {
      server.proxy.decide = () => ({ ...answer, headers: { ...answer.headers, date } });
      const outcome = await connection.extend({ receipt: "r", receivedAt: systemClock.boottime() }, 30);
      assert.equal(outcome.kind, end, JSON.stringify(outcome));
    }
  }),
  promise("health tells of each kind of request since when it fails, and of what", async (server) => {
    const connection = await server.connect(await server.createQueue());
    assert.equal(connection.health.hasSucceeded, false);
    server.proxy.decide = () => ({ status: 500, body: "" });
    await connection.receive(1, 0);
    const since = connection.health.worst?.illSince;
    assert.ok(since);
    await connection.receive(1, 0);
    assert.equal(connection.health.hasSucceeded, false);
    server.proxy.decide = ({ action }) => (action === "GetQueueAttributes" ? "pass" : { status: 503, body: "" });
    await connection.facts();
    await connection.receive(1, 0);
    const { worst } = connection.health;
    assert.deepEqual([worst?.action, worst?.illSince, worst?.lastSuccessAt], ["ReceiveMessage", since, null]);
    assert.match(worst?.lastFailure?.failure.message ?? "", /HTTP 503/);
    assert.equal(connection.health.hasSucceeded, true);
    server.proxy.decide = () => "pass";
    await connection.receive(1, 0);
    assert.equal(connection.health.worst, null);
    const polls = connection.health.requests.find(({ action }) => action === "ReceiveMessage");
    assert.ok(polls?.lastSuccessAt && polls.lastFailure && polls.lastSuccessAt >= polls.lastFailure.at);
  }),
  promise("a server that is not there is transient, and told as such", async (server) => {
    const gone = await FaultProxy.start();
    const endpoint = gone.origin;
    await gone[Symbol.asyncDispose]();
    const connection = await server.connect("queue", { endpoint });
    assert.match(endOf(await connection.receive(1, 0)), /^transient: (?:ECONNREFUSED|ConnectionFailed)$/);
    const nameless = await server.connect("queue", { endpoint: "http://nosuch.invalid" });
    assert.match(
      endOf(await nameless.receive(1, 0)),
      /^transient: (?:ENOTFOUND|EAI_AGAIN|ConnectionFailed|TimeLimit)$/,
    );
  }),
];

/** `20260101T000000Z` */
const parseAmzDate = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
