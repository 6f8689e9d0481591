import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { queueFindings } from "../../src/cli/doctor/queue.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { DEFAULT_LIMITS, type Configuration, type Definition, type Limits } from "../../src/config/definition.ts";
import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../../src/config/queue-definition.ts";
import { loadConfiguration } from "../../src/config/configuration.ts";
import { FaultProxy, sqsAnswer, sqsError, type Fate, type HttpAnswer, type Seen } from "../support/fault-proxy.ts";
import { ENVIRONMENT, setEnvironment, SqsServer, type Environment } from "../support/sqs-server.ts";

/** Answers as SQS gives them, all of them to a queue that has nothing wrong. */
let amazon: FaultProxy;
let before: Environment;

beforeAll(async () => {
  before = setEnvironment({ ...ENVIRONMENT, AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE", AWS_ENDPOINT_URL: undefined });
  amazon = await FaultProxy.start();
});
afterAll(async () => {
  await amazon[Symbol.asyncDispose]();
  setEnvironment(before);
});
beforeEach(() => amazon.forget());

const ACCOUNT = "https://sqs.eu-west-1.amazonaws.com/123456789012";
const ARN = "arn:aws:sqs:eu-west-1:123456789012";

type Attributes = Readonly<Record<string, string | undefined>>;

const policy = (maxReceiveCount: number, dead = "jobs-dead"): Attributes => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: `${ARN}:${dead}`, maxReceiveCount }),
});

/** Four days, and the most that there is. */
const QUEUE: Attributes = { VisibilityTimeout: "30", MessageRetentionPeriod: "345600", ...policy(3) };
const DEAD: Attributes = { VisibilityTimeout: "30", MessageRetentionPeriod: "1209600" };

const failedEntry = (Code: string, Message: string): HttpAnswer =>
  sqsAnswer({ Successful: [], Failed: [{ Id: "0", SenderFault: true, Code, Message }] });

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html, and what it says in fact */
function answerOf({ action, body }: Seen, queue: Attributes, dead: Attributes): HttpAnswer {
  switch (action) {
    case "GetQueueAttributes":
      return sqsAnswer({ Attributes: String(body["QueueUrl"]).includes("dead") ? dead : queue });
    case "GetQueueUrl":
      return sqsAnswer({ QueueUrl: `${ACCOUNT}/${String(body["QueueName"])}` });
    case "ReceiveMessage":
      return sqsAnswer({});
    case "ChangeMessageVisibility":
      return sqsError("ReceiptHandleIsInvalid", 'The input receipt handle "no-receipt" is not a valid receipt handle.');
    case "DeleteMessageBatch":
      return failedEntry("ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
    case "SendMessageBatch":
      return failedEntry("InvalidMessageContents", "Invalid binary character '#x1' was found in the message body.");
    default:
      return { status: 404, body: "" };
  }
}

interface Case {
  readonly queue?: Attributes;
  readonly dead?: Attributes;
  /** What befalls requests of these kinds. */
  readonly fates?: Readonly<Record<string, Fate>>;
  readonly limits?: Partial<Limits>;
  readonly definition?: Partial<SqsQueueDefinition>;
}

async function configured(limits: Partial<Limits> | undefined): Promise<Configuration> {
  const configuration = await loadConfiguration({ flag: undefined, environment: {}, cwd: "/" });
  const job: Definition = {
    name: "resize",
    command: ["true"],
    parameters: new Map(),
    limits: { ...DEFAULT_LIMITS, ...limits },
    environment: {},
    passEnvironment: [],
    cwd: "/",
  };
  return { ...configuration, definitions: new Map(limits === undefined ? [] : [["resize", job]]) };
}

async function examine({
  queue = {},
  dead = {},
  fates = {},
  limits,
  definition = {},
}: Case): Promise<Map<string, Finding>> {
  amazon.decide = (request) => fates[request.action] ?? answerOf(request, { ...QUEUE, ...queue }, { ...DEAD, ...dead });
  const asked = { ...DEFAULT_SQS_QUEUE, url: `${ACCOUNT}/jobs`, endpoint: amazon.origin, ...definition };
  return named(await queueFindings(asked, await configured(limits)));
}

const named = (findings: readonly Finding[]): Map<string, Finding> =>
  new Map(findings.map((finding) => [finding.name, finding]));

const denied = (action: string): HttpAnswer =>
  sqsError(
    "AccessDeniedException",
    `User: arn:aws:iam::123456789012:user/me is not authorized to perform: sqs:${action} on resource: ${ARN}:jobs`,
    { status: 403, olderName: "AccessDenied" },
  );

const inMinutes = (minutes: number, answer: HttpAnswer): HttpAnswer => ({
  ...answer,
  headers: { ...answer.headers, date: new Date(Date.now() + minutes * 60_000).toUTCString() },
});

const delivered = (count: number): object => ({
  MessageId: "m-1",
  ReceiptHandle: "r-1",
  Body: "a job",
  Attributes: { ApproximateReceiveCount: String(count) },
});

const TWELVE_HOURS_MS = 43_200_000;

/** What is wrong with the queue, and the only findings that say so. */
const FAULTS: readonly (readonly [
  what: string,
  Case,
  Readonly<Record<string, readonly ["note" | "wrong", string]>>,
])[] = [
  ["nothing", {}, {}],
  ["nothing, for a definition", { limits: { maxAttempts: 3, timeoutMs: TWELVE_HOURS_MS } }, {}],
  [
    "no permission to receive",
    { fates: { ReceiveMessage: denied("receivemessage") } },
    { receive: ["wrong", "sqs:ReceiveMessage"] },
  ],
  [
    "no permission to extend",
    { fates: { ChangeMessageVisibility: denied("changemessagevisibility") } },
    { extend: ["wrong", "sqs:ChangeMessageVisibility"] },
  ],
  [
    "no permission to delete",
    { fates: { DeleteMessageBatch: denied("deletemessage") } },
    { delete: ["wrong", "sqs:DeleteMessage;"] },
  ],
  [
    "no permission to bury",
    { fates: { SendMessageBatch: denied("sendmessage") } },
    { bury: ["wrong", "sqs:SendMessage;"] },
  ],
  [
    "no permission to see how it is set",
    { fates: { GetQueueAttributes: denied("getqueueattributes") } },
    { "": ["note", "sqs:GetQueueAttributes"], policy: ["note", "cannot be read"] },
  ],
  ["no redrive policy", { queue: { RedrivePolicy: undefined } }, { policy: ["note", "for ever"] }],
  ["a redrive policy that cannot be one", { queue: { RedrivePolicy: "{}" } }, { policy: ["wrong", "maxReceiveCount"] }],
  ["too few deliveries", { queue: policy(2) }, { policy: ["note", "3 or more"] }],
  ["one delivery", { queue: policy(1) }, { policy: ["note", "3 or more"], receive: ["note", "not tried"] }],
  [
    "a message at its last delivery, which a look costs",
    { fates: { ReceiveMessage: sqsAnswer({ Messages: [delivered(3)] }), ChangeMessageVisibility: sqsAnswer({}) } },
    { receive: ["note", "a dead letter"], extend: ["note", "cannot be told"] },
  ],
  [
    "more attempts than deliveries",
    { limits: { maxAttempts: 4 } },
    { attempts: ["note", "3 receives, before the `max_attempts` of resize (4)"] },
  ],
  ["a timeout beyond 12 h", { limits: { timeoutMs: TWELVE_HOURS_MS + 1 } }, { timeouts: ["note", "resize may run"] }],
  ["a running time beyond 12 h", { limits: { executionDuration: 43_201 } }, { timeouts: ["note", "resize may run"] }],
  [
    "no dead letter queue where the policy says",
    { fates: { GetQueueUrl: sqsError("QueueDoesNotExist", "The specified queue does not exist.") } },
    { "dead letters": ["wrong", "does not exist"], bury: ["wrong", "does not exist"] },
  ],
  [
    "a short memory for dead letters",
    { dead: { MessageRetentionPeriod: "86400" } },
    { "dead letters": ["note", "keeps them for 1d00h, and the queue its messages for 4d00h"] },
  ],
  [
    "dead letters of another kind",
    { queue: policy(3, "jobs-dead.fifo") },
    { "dead letters": ["wrong", "is a FIFO queue"] },
  ],
  ["a beat that comes too late", { definition: { beatMs: 55_000 } }, { lease: ["wrong", "`beat` to less than"] }],
  [
    "a grace that outlasts the lease",
    { limits: { graceMs: 50_000 } },
    { lease: ["wrong", "jobs.resize: With a `visibility` of 1m00s"] },
  ],
  [
    "a clock that is two minutes ahead",
    {
      fates: {
        DeleteMessageBatch: inMinutes(-2, failedEntry("ReceiptHandleIsInvalid", "")),
        SendMessageBatch: inMinutes(-2, failedEntry("InvalidMessageContents", "")),
      },
    },
    { clock: ["note", "ahead"] },
  ],
  [
    "a clock that is an hour behind",
    { fates: { SendMessageBatch: inMinutes(60, failedEntry("InvalidMessageContents", "")) } },
    { clock: ["wrong", "behind"] },
  ],
];

describe("the doctor finds", () => {
  test.each([...FAULTS])("%s", async (_, given, expected) => {
    const findings = await examine(given);
    const told = new Map([...findings].filter(([, { verdict }]) => verdict !== "ok"));
    const names = Object.keys(expected).map((name) => (name === "" ? "queue" : `queue: ${name}`));
    expect([...told.keys()].toSorted()).toEqual(names.toSorted());
    for (const [index, [verdict, text]] of Object.values(expected).entries()) {
      const { what = "", hint = "", verdict: found } = told.get(names[index] ?? "") ?? {};
      expect<string | undefined>(found).toBe(verdict);
      expect(`${what}; ${hint};`).toContain(text);
    }
  });

  test("who asks, and where", async () => {
    const { what } = (await examine({})).get("queue") ?? {};
    expect(what).toBe(`${ACCOUNT}/jobs in eu-west-1, asked with the key AKIA…MPLE at ${amazon.origin}`);
  });

  test("a queue that is not there, or that no one may ask, and asks nothing more of it", async () => {
    for (const [answer, text] of [
      [sqsError("QueueDoesNotExist", "The specified queue does not exist."), "URL and region"],
      [sqsError("InvalidClientTokenId", "The security token included in the request is invalid."), "AWS_PROFILE"],
    ] as const) {
      amazon.forget();
      const findings = await examine({ fates: { GetQueueAttributes: answer } });
      expect([...findings.keys()]).toEqual(["queue", "queue: clock"]);
      expect(findings.get("queue")).toMatchObject({ verdict: "wrong", hint: expect.stringContaining(text) });
      expect(amazon.seen.filter(({ action }) => action !== "GetQueueAttributes")).toEqual([]);
    }
  });

  test("a clock for which the signature is refused, and goes on by the queue's", async () => {
    const early = sqsError("InvalidSignatureException", "Signature not yet current: 20260101T000000Z is still later", {
      status: 403,
    });
    let isFirst = true;
    amazon.decide = (request) => {
      const answer = isFirst ? early : answerOf(request, QUEUE, DEAD);
      isFirst = false;
      return inMinutes(-120, answer);
    };
    const asked = { ...DEFAULT_SQS_QUEUE, url: `${ACCOUNT}/jobs`, endpoint: amazon.origin };
    const findings = named(await queueFindings(asked, await configured(undefined)));
    expect([...findings.values()].filter(({ verdict }) => verdict !== "ok").length).toBe(1);
    expect(findings.get("queue: clock")).toMatchObject({
      verdict: "wrong",
      what: expect.stringMatching(/2h00m ahead|1h59m ahead/),
    });
  });

  test("no way to ask: it is one more thing that is wrong", async () => {
    const findings = await examine({ definition: { endpoint: "nowhere" } });
    expect(findings.get("queue")).toMatchObject({ verdict: "wrong", what: expect.stringContaining('"nowhere"') });
  });
});

test("the doctor sends and deletes nothing, and puts back what a poll brings", async () => {
  await using server = await SqsServer.start();
  const [queue, dead] = await server.createPair();
  await server.send(queue, "a job");
  const definition = { ...DEFAULT_SQS_QUEUE, url: `${server.proxy.origin}/000000000000/${queue}` };
  const findings = named(await queueFindings(definition, await configured(undefined)));
  expect(findings.get("queue: receive")?.what).toContain("released");
  expect((await server.waiting(queue)).map(({ body }) => body)).toEqual(["a job"]);
  expect([await server.inFlight(queue), await server.waiting(dead)]).toEqual([[], []]);
  // This server takes any receipt for a delete, and is not Amazon's.
  for (const name of ["queue: delete", "queue: bury"]) {
    expect(findings.get(name)).toMatchObject({ verdict: "note", what: expect.stringContaining("cannot be told") });
  }
  expect(findings.get("queue: extend")?.verdict).toBe("ok");
  expect(server.proxy.count("SendMessageBatch")).toBe(0);
});
