import type { Message, MessageAttributeValue } from "@aws-sdk/client-sqs";

/** The value of a message attribute: `String`, `Number`, `Binary`, or one of these with a label (`Number.int`). */
export type Attribute =
  { readonly dataType: string; readonly text: string } | { readonly dataType: string; readonly bytes: Uint8Array };

/** As whoever knows only texts gets it: bytes in base64. */
export const attributeText = (value: Attribute): string =>
  "text" in value ? value.text : Buffer.from(value.bytes).toString("base64");

export type Attributes = ReadonlyMap<string, Attribute>;

/** What names a delivery, and since when it runs. */
export interface Delivery {
  readonly receipt: string;
  /** By the clock that runs on while the machine sleeps, in milliseconds: when the answer that brought it was there. */
  readonly receivedAt: number;
}

/** One delivery, as SQS tells of it. */
export interface ReceivedMessage extends Delivery {
  readonly id: string;
  readonly body: string;
  readonly attributes: Attributes;
  /** All that the server tells of it: `SenderId`, `MessageGroupId`, `AWSTraceHeader`, `SequenceNumber`, … */
  readonly systemAttributes: ReadonlyMap<string, string>;
  /** This delivery counted; null where the server does not count. */
  readonly receiveCount: number | null;
  /** Milliseconds since 1970 by the server's clock; null where it does not tell. */
  readonly sentAt: number | null;
  readonly firstReceivedAt: number | null;
}

/** What is sent. */
export interface OutgoingMessage {
  readonly body: string;
  readonly attributes?: Attributes;
  /** Whole seconds, 0 to 900; a FIFO queue takes none. */
  readonly delaySeconds?: number;
  /** Needed on a FIFO queue; on a standard one it makes a fair queue. */
  readonly groupId?: string;
  /** Needed on a FIFO queue, unless it takes the body's hash for it. */
  readonly deduplicationId?: string;
  /** An X-Ray header, the only system attribute that can be sent. */
  readonly traceHeader?: string;
}

/** The types promise more than a look-alike may keep: null where it is not even a delivery. */
export function readMessage(given: Message, receivedAt: number): ReceivedMessage | null {
  const { MessageId: id, ReceiptHandle: receipt, Body: body = "" } = Object(given) as Message;
  if (typeof id !== "string" || typeof receipt !== "string" || receipt === "" || typeof body !== "string") return null;
  const systemAttributes = new Map(Object.entries(given.Attributes ?? {}));
  const number = (name: string): number | null => readNumber(systemAttributes.get(name));
  return {
    id,
    receipt,
    receivedAt,
    body,
    attributes: readAttributes(given.MessageAttributes ?? {}),
    systemAttributes,
    receiveCount: number("ApproximateReceiveCount") || null,
    sentAt: number("SentTimestamp"),
    firstReceivedAt: number("ApproximateFirstReceiveTimestamp"),
  };
}

export function readNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function readAttributes(given: Readonly<Record<string, MessageAttributeValue>>): Attributes {
  const read = new Map<string, Attribute>();
  for (const [name, { DataType: dataType = "String", StringValue: text, BinaryValue: bytes }] of Object.entries(
    given,
  )) {
    if (bytes !== undefined) read.set(name, { dataType, bytes });
    else if (text !== undefined) read.set(name, { dataType, text });
  }
  return read;
}

export function writeAttributes(attributes: Attributes): Record<string, MessageAttributeValue> {
  return Object.fromEntries(
    [...attributes].map(([name, value]) => [
      name,
      {
        DataType: value.dataType,
        ...("text" in value ? { StringValue: value.text } : { BinaryValue: value.bytes }),
      },
    ]),
  );
}

/** Bytes that count towards a queue's limit: the body, and each attribute's name, type and value. */
export function sizeOf({ body, attributes = new Map() }: Pick<OutgoingMessage, "body" | "attributes">): number {
  let size = Buffer.byteLength(body);
  for (const [name, value] of attributes) {
    const bytes = "text" in value ? Buffer.byteLength(value.text) : value.bytes.length;
    size += Buffer.byteLength(name) + Buffer.byteLength(value.dataType) + bytes;
  }
  return size;
}
