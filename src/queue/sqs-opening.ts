import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { connectTo, type Connecting } from "./sqs-connecting.ts";
import type { IntakeOptions } from "./sqs-intake.ts";
import { SqsQueue } from "./sqs-queue.ts";

/** Deletes go ten to a request where so many come within this time; the lease is kept meanwhile. */
const MOST_FLUSH_DELAY_MS = 1000;

/** A small part of the lease. */
const flushDelayMs = ({ visibilityMs }: SqsQueueDefinition): number => Math.min(MOST_FLUSH_DELAY_MS, visibilityMs / 30);

/** A queue for a worker, which closes it. */
export async function openSqsQueue(
  definition: SqsQueueDefinition,
  options: IntakeOptions & Connecting,
): Promise<SqsQueue> {
  const connection = await connectTo(definition, options, { flushDelayMs: flushDelayMs(definition) });
  return new SqsQueue({ ...options, connection, definition });
}
