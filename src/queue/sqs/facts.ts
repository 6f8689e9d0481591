import type { QueueAddress } from "./address.ts";
import { isDenied } from "./error-names.ts";
import { failureOf } from "./failures.ts";
import type { Asked } from "./health.ts";
import { readNumber } from "./message.ts";
import type { Answer } from "./outcome.ts";
import type { Requests } from "./requests.ts";

/** What a queue does with a message that was received too often. */
export type RedrivePolicy =
  | { readonly kind: "none" }
  /** @property maxReceiveCount after so many deliveries the next one would be to the dead letter queue */
  | { readonly kind: "set"; readonly maxReceiveCount: number; readonly deadLetterArn: string }
  /** There is one, and it cannot be understood. */
  | { readonly kind: "malformed"; readonly why: string }
  /** Whether there is one may not be known here. */
  | { readonly kind: "unknown"; readonly why: string };

/** How a queue is set. Null: not known. */
export interface QueueFacts {
  readonly isFifo: boolean;
  readonly visibilitySeconds: number | null;
  readonly waitSeconds: number | null;
  readonly retentionSeconds: number | null;
  readonly maxMessageBytes: number | null;
  readonly arn: string | null;
  readonly redrive: RedrivePolicy;
}

/** Asks the queue for its attributes. That they may not be read is no failure: then nothing is known. */
export async function readFacts(
  requests: Requests,
  { url, name, isFifo }: QueueAddress,
  limitMs: number,
): Promise<Answer<QueueFacts>> {
  const asked: Asked = { action: "GetQueueAttributes", queue: name };
  return requests.ask(asked, limitMs, async ({ sdk, client, options }) => {
    const command = new sdk.GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] });
    try {
      const { Attributes = {} } = await client.send(command, options);
      return factsFrom(Attributes, isFifo);
    } catch (error) {
      const failure = failureOf(error, asked);
      if (isDenied(failure)) return unknownFacts(isFifo, failure.message);
      throw error;
    }
  });
}

function factsFrom(attributes: Readonly<Record<string, string>>, isFifo: boolean): QueueFacts {
  if (Object.keys(attributes).length === 0) return unknownFacts(isFifo, "the server tells no attributes of the queue");
  const number = (name: string): number | null => readNumber(attributes[name]);
  return {
    isFifo,
    visibilitySeconds: number("VisibilityTimeout"),
    waitSeconds: number("ReceiveMessageWaitTimeSeconds"),
    retentionSeconds: number("MessageRetentionPeriod"),
    maxMessageBytes: number("MaximumMessageSize"),
    arn: attributes["QueueArn"] ?? null,
    redrive: readRedrivePolicy(attributes["RedrivePolicy"]),
  };
}

const unknownFacts = (isFifo: boolean, why: string): QueueFacts => ({
  isFifo,
  visibilitySeconds: null,
  waitSeconds: null,
  retentionSeconds: null,
  maxMessageBytes: null,
  arn: null,
  redrive: { kind: "unknown", why },
});

/** The count is a number or a string: SQS gives back what it was told, and the console and CDK tell it differently. */
export function readRedrivePolicy(text: string | undefined): RedrivePolicy {
  if (text === undefined || text === "") return { kind: "none" };
  const policy = parse(text);
  if (policy === null) return { kind: "malformed", why: `the redrive policy is no JSON object: ${text}` };
  const { maxReceiveCount, deadLetterTargetArn } = policy;
  const count = readNumber(String(maxReceiveCount));
  if (count === null || count < 1) {
    return { kind: "malformed", why: `the redrive policy's maxReceiveCount is ${JSON.stringify(maxReceiveCount)}` };
  }
  if (typeof deadLetterTargetArn !== "string" || deadLetterTargetArn === "") {
    return { kind: "malformed", why: `the redrive policy names no dead letter queue: ${text}` };
  }
  return { kind: "set", maxReceiveCount: count, deadLetterArn: deadLetterTargetArn };
}

function parse(text: string): { maxReceiveCount?: unknown; deadLetterTargetArn?: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
