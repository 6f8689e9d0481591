import { parseQueueArn, type QueueAddress } from "./address.ts";
import { isDenied, isMissingQueue } from "./error-names.ts";
import type { QueueFacts } from "./facts.ts";
import { failureOf } from "./failures.ts";
import type { Asked } from "./health.ts";
import { sizeOf, type Attribute, type OutgoingMessage, type ReceivedMessage } from "./message.ts";
import type { Answer } from "./outcome.ts";
import type { Requests } from "./requests.ts";
import { MAX_ATTRIBUTES, MAX_MESSAGE_BYTES, type Target } from "./sending.ts";

/** The attribute of a dead letter that says why it is one. */
export const REASON_ATTRIBUTE = "reeve.reason";

/** Of a reason, in UTF-16 units: it is to be read in a list of messages. */
const LONGEST_REASON = 2048;

export type DeadLetterQueue =
  ({ readonly kind: "found" } & Target) | { readonly kind: "none"; readonly message: string };

/**
 * Finds the dead letter queue that the redrive policy names. Where its URL may not be asked for it is made of the
 * queue's own, since both are of one region and account.
 */
export async function findDeadLetterQueue(
  requests: Requests,
  source: QueueAddress,
  { redrive }: Pick<QueueFacts, "redrive">,
  limitMs: number,
): Promise<Answer<DeadLetterQueue>> {
  if (redrive.kind === "unknown") return unreadable(source, redrive.why);
  if (redrive.kind === "none") return none(`${source.name} has no redrive policy, hence no dead letter queue`);
  if (redrive.kind === "malformed") return none(`${source.name}: ${redrive.why}`);
  const { deadLetterArn } = redrive;
  const parts = parseQueueArn(deadLetterArn);
  if (!parts) return none(`${source.name}: the redrive policy's target is no queue's ARN: ${deadLetterArn}`);
  const answer = await askForUrl(requests, source, parts, limitMs);
  if (answer.kind !== "ok") return answer;
  if (answer.value === null) return none(`${source.name}: its dead letter queue ${deadLetterArn} does not exist`);
  const { name } = parts;
  return { kind: "ok", value: { kind: "found", name, url: answer.value, isFifo: name.endsWith(".fifo") } };
}

const none = (message: string): Answer<DeadLetterQueue> => ({ kind: "ok", value: { kind: "none", message } });

const unreadable = ({ name }: QueueAddress, why: string): Answer<never> => ({
  kind: "refused",
  name: "RedrivePolicyUnknown",
  message: `the dead letter queue of ${name} is not known: ${why}`,
  hint: "the policy has to allow sqs:GetQueueAttributes",
  unanswered: false,
});

/** Null: there is no such queue. */
function askForUrl(
  requests: Requests,
  source: QueueAddress,
  { name, account }: { readonly name: string; readonly account: string },
  limitMs: number,
): Promise<Answer<string | null>> {
  const asked: Asked = { action: "GetQueueUrl", queue: name };
  return requests.ask(asked, limitMs, async ({ sdk, client, options }) => {
    const command = new sdk.GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account });
    try {
      return (await client.send(command, options)).QueueUrl ?? null;
    } catch (error) {
      const failure = failureOf(error, asked);
      if (isMissingQueue(failure)) return null;
      if (isDenied(failure)) return `${new URL(source.url).origin}/${account}/${name}`;
      throw error;
    }
  });
}

/**
 * The message as it is put among the dead letters, with body and attributes as they were.
 *
 * @param reason null: without the attribute that tells it
 */
export function deadLetterOf(message: ReceivedMessage, reason: string | null, { isFifo }: Target): OutgoingMessage {
  const { body, systemAttributes } = message;
  const groupId = systemAttributes.get("MessageGroupId") ?? (isFifo ? message.id : undefined);
  const traceHeader = systemAttributes.get("AWSTraceHeader");
  return {
    body,
    attributes: reason === null ? message.attributes : withReason(message, reason),
    ...(groupId !== undefined && { groupId }),
    // Not the sender's own: it would drop the second of two messages that were sent, and buried, under one id.
    ...(isFifo && { deduplicationId: message.id }),
    ...(traceHeader !== undefined && { traceHeader }),
  };
}

/** The message's attributes, and the reason if there is room for it. */
function withReason({ body, attributes }: ReceivedMessage, reason: string): ReadonlyMap<string, Attribute> {
  const text = toSendable(reason.slice(0, LONGEST_REASON));
  if (text === "") return attributes;
  const extended = new Map(attributes).set(REASON_ATTRIBUTE, { dataType: "String", text });
  const fits = extended.size <= MAX_ATTRIBUTES && sizeOf({ body, attributes: extended }) <= MAX_MESSAGE_BYTES;
  return fits ? extended : attributes;
}

/** SQS takes those characters that XML 1.0 has. */
function toSendable(text: string): string {
  return text.toWellFormed().replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\u{FFFD}");
}
