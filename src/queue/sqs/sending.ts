import type { SendMessageBatchRequestEntry } from "@aws-sdk/client-sqs";
import type { QueueAddress } from "./address.ts";
import { askForBatch, MAX_ENTRIES } from "./batch.ts";
import type { Asked } from "./health.ts";
import { sizeOf, writeAttributes, type OutgoingMessage } from "./message.ts";
import type { Answer, Failure, Sent } from "./outcome.ts";
import { persist, type Persistence } from "./persist.ts";
import type { Requests } from "./requests.ts";

/** 1 MiB, for a message as for all of a batch together. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** Attributes that one message can have. */
export const MAX_ATTRIBUTES = 10;

/** Batches to a standard queue that are under way together. */
const LANES = 8;

/** Where messages are sent to. */
export type Target = Pick<QueueAddress, "name" | "url" | "isFifo">;

interface Settings extends Persistence {
  readonly limitMs: number;
}

/**
 * Sends messages, as many together as SQS takes. Gives one outcome for each, in order. When nothing of a batch could be
 * sent and the queue is to blame, what is left is not tried: it has that batch's failure for outcome.
 *
 * What may have been accepted without an answer is sent again, so a message may be there twice, as SQS may deliver it
 * twice; a FIFO queue drops the second by its deduplication id. To a FIFO queue one batch goes after the other, so that
 * order is kept unless the server takes one entry and not the one before it.
 */
export async function sendAll(
  requests: Requests,
  target: Target,
  messages: readonly OutgoingMessage[],
  settings: Settings,
): Promise<Sent[]> {
  const batches = batchesOf(messages);
  const sent: Sent[][] = batches.map(() => []);
  const left = batches.entries();
  let broken: Failure | null = null;
  const lane = async (): Promise<void> => {
    for (const [index, batch] of left) {
      const failure: Failure | null = broken;
      sent[index] = failure ? batch.map(() => failure) : await sendBatch(requests, target, batch, settings);
      broken ??= queueFailureOf(sent[index]);
    }
  };
  await Promise.all(Array.from({ length: target.isFifo ? 1 : LANES }, lane));
  return sent.flat();
}

function queueFailureOf(sent: readonly Sent[]): Failure | null {
  const [first] = sent;
  const isBroken = sent.every(({ kind }) => kind === "transient" || kind === "fatal");
  return isBroken && first && first.kind !== "ok" ? first : null;
}

async function sendBatch(
  requests: Requests,
  target: Target,
  batch: readonly OutgoingMessage[],
  settings: Settings,
): Promise<Sent[]> {
  const answers = await persist(batch, settings.limitMs, settings, (open, leftMs) =>
    askToSend(requests, target, open, leftMs),
  );
  // A server may refuse the whole for one of them: then each is told for itself what is wrong.
  if (batch.length > 1 && answers.every(({ kind }) => kind === "refused")) {
    const alone = batch.map((message) => sendBatch(requests, target, [message], settings));
    return (await Promise.all(alone)).flat();
  }
  return answers.map((answer) => (answer.kind === "ok" ? { kind: "ok", id: answer.value } : answer));
}

function askToSend(
  requests: Requests,
  { url, name: queue }: Target,
  messages: readonly OutgoingMessage[],
  limitMs: number,
): Promise<Answer<string>[]> {
  const asked: Asked = { action: "SendMessageBatch", queue };
  return askForBatch(requests, asked, messages, limitMs, async ({ sdk, client, options }, open) => {
    const Entries = open.map(([id, message]) => toEntry(id, message));
    const command = new sdk.SendMessageBatchCommand({ QueueUrl: url, Entries });
    const { Successful = [], Failed = [] } = await client.send(command, options);
    return { done: new Map(Successful.map(({ Id = "", MessageId = "" }) => [Id, MessageId])), failed: Failed };
  });
}

function toEntry(Id: string, message: OutgoingMessage): SendMessageBatchRequestEntry {
  const { body, attributes, delaySeconds, groupId, deduplicationId, traceHeader } = message;
  return {
    Id,
    MessageBody: body,
    ...(attributes && attributes.size > 0 && { MessageAttributes: writeAttributes(attributes) }),
    ...(delaySeconds !== undefined && { DelaySeconds: delaySeconds }),
    ...(groupId !== undefined && { MessageGroupId: groupId }),
    ...(deduplicationId !== undefined && { MessageDeduplicationId: deduplicationId }),
    ...(traceHeader !== undefined && {
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: traceHeader } },
    }),
  };
}

/** In their order, up to ten and 1 MiB together. One that is too large goes alone: the server says what it takes. */
export function batchesOf(messages: readonly OutgoingMessage[]): OutgoingMessage[][] {
  const batches: OutgoingMessage[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    const last = batches.at(-1);
    const fits = last && last.length < MAX_ENTRIES && bytes + size <= MAX_MESSAGE_BYTES;
    if (fits) last.push(message);
    else batches.push([message]);
    bytes = fits ? bytes + size : size;
  }
  return batches;
}
