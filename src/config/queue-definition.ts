/** Where work comes from: the store itself, or Amazon SQS. */
export type QueueDefinition = EmbeddedQueueDefinition | SqsQueueDefinition;

export interface EmbeddedQueueDefinition {
  type: "sqlite";
  /** Its share of the slots, beside other queues' weights. */
  weight: number;
}

export interface SqsQueueDefinition {
  type: "sqs";
  url: string;
  /** Its share of the slots, beside other queues' weights. */
  weight: number;
  /** Null: the URL's, else the environment's. */
  region: string | null;
  /** Null: the environment's, else the URL's host. */
  endpoint: string | null;
  /** Milliseconds that a message is ours, from its receipt or the last beat. */
  visibilityMs: number;
  /** Milliseconds between beats; null: a third of the visibility timeout. */
  beatMs: number | null;
  /** Seconds that a poll waits for a message; null: as the queue says, else 20. */
  waitSeconds: number | null;
  /** The definition that its messages are for; null: they are routed. */
  job: string | null;
  /** What becomes of a message that is no definition's, or cannot be read. */
  onUnroutable: (typeof ON_UNROUTABLE)[number];
  /** What becomes of a message whose job is given up where there are no dead letters. */
  onExhausted: (typeof ON_EXHAUSTED)[number];
  /** Buckets that a message's pointer to S3 may name. */
  pointerBuckets: string[];
  /** What becomes of such a payload when its message is deleted. */
  pointerPayloads: (typeof POINTER_PAYLOADS)[number];
}

export const ON_UNROUTABLE = ["bury", "leave"] as const;
export const ON_EXHAUSTED = ["leave", "delete"] as const;
export const POINTER_PAYLOADS = ["keep", "delete"] as const;

/** What holds for an SQS queue of which nothing but its URL is known. */
export const DEFAULT_SQS_QUEUE: Omit<SqsQueueDefinition, "url"> = {
  type: "sqs",
  weight: 1,
  region: null,
  endpoint: null,
  visibilityMs: 60_000,
  beatMs: null,
  waitSeconds: null,
  job: null,
  onUnroutable: "bury",
  onExhausted: "leave",
  pointerBuckets: [],
  pointerPayloads: "keep",
};
