import { JOB_ATTRIBUTE } from "../../config/routing.ts";
import { REASON_ATTRIBUTE } from "../../queue/sqs/dead-letters.ts";
import type { Attribute, Attributes, OutgoingMessage, ReceivedMessage } from "../../queue/sqs/message.ts";
import { isoTime } from "../../uws/document.ts";

/** What anybody may have put there is an id only if it looks like one. */
const ID = /^[\w-]{1,80}$/;

/** A message of a dead letter queue. */
export interface Letter {
  readonly message: ReceivedMessage;
  /** Its job's, else its own as a message. */
  readonly id: string;
  /** Null: none was told, as where the queue itself has moved it. */
  readonly reason: string | null;
  /** The definition that its body names. */
  readonly definition: string | null;
}

export function letterOf(message: ReceivedMessage): Letter {
  const jobId = textOf(message.attributes, JOB_ATTRIBUTE);
  return {
    message,
    id: jobId !== null && ID.test(jobId) ? jobId : message.id,
    reason: textOf(message.attributes, REASON_ATTRIBUTE),
    definition: definitionOf(message.body),
  };
}

function textOf(attributes: Attributes, name: string): string | null {
  const attribute = attributes.get(name);
  return attribute && "text" in attribute ? attribute.text : null;
}

function definitionOf(body: string): string | null {
  try {
    const value: unknown = JSON.parse(body);
    const name: unknown = typeof value === "object" && value !== null && "job" in value ? value.job : null;
    return typeof name === "string" ? name : null;
  } catch {
    // A body may be anything.
    return null;
  }
}

/**
 * The message as it goes back to work: with body and attributes as they were, but for the reason, which is an earlier
 * life's. Its job's id stays: by it a worker knows which job the new one comes of.
 */
export function copyOf({ message }: Letter, { isFifo }: { readonly isFifo: boolean }): OutgoingMessage {
  const { body, systemAttributes } = message;
  const groupId = systemAttributes.get("MessageGroupId") ?? (isFifo ? message.id : undefined);
  const traceHeader = systemAttributes.get("AWSTraceHeader");
  return {
    body,
    attributes: new Map([...message.attributes].filter(([name]) => name !== REASON_ATTRIBUTE)),
    ...(groupId !== undefined && { groupId }),
    // Not the sender's own, under which the queue may still remember the message; the same when it is sent twice.
    ...(isFifo && { deduplicationId: message.id }),
    ...(traceHeader !== undefined && { traceHeader }),
  };
}

/** A letter as `--json` prints it. */
export function documentOf({ message, id, reason, definition }: Letter) {
  const { sentAt, firstReceivedAt, receiveCount, attributes, systemAttributes, body } = message;
  return {
    id,
    messageId: message.id,
    definition,
    reason,
    sentTime: sentAt === null ? null : isoTime(sentAt),
    firstReceiveTime: firstReceivedAt === null ? null : isoTime(firstReceivedAt),
    receiveCount,
    attributes: Object.fromEntries([...attributes].map(([name, value]) => [name, attributeDocument(value)])),
    systemAttributes: Object.fromEntries(systemAttributes),
    body,
  };
}

function attributeDocument(value: Attribute) {
  const { dataType } = value;
  if ("text" in value) return { dataType, value: value.text };
  return { dataType, base64: base64(value.bytes) };
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
