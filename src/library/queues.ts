import { newMessage } from "../cli/submission/message.ts";
import { systemClock } from "../clock.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { EXIT, ReeveError, unavailable } from "../errors.ts";
import type { SqsConnection } from "../queue/sqs/connection.ts";
import type { Failure } from "../queue/sqs/outcome.ts";
import { runtime } from "../runtime/index.ts";
import { newId } from "../store/new-id.ts";
import type { Environment } from "./opening.ts";
import { readMessageRequest, type MessageRequest } from "./request.ts";
import { readQueue, type Duration } from "./settings.ts";

/** The jobs of the worker's own store. */
export class SqliteQueue {
  readonly kind = "sqlite";
}

/** An SQS queue, and how a worker deals with its messages. */
export interface SqsQueueOptions {
  readonly url: string;
  /** The URL's, else the environment's. */
  readonly region?: string | undefined;
  /** The environment's, else the URL's host. */
  readonly endpoint?: string | undefined;
  /** For so long a message is ours, from its receipt or the last beat: whole seconds; 60 s. */
  readonly visibility?: Duration | undefined;
  /** Between beats; a third of the visibility. */
  readonly beat?: Duration | undefined;
  /** What a poll waits for a message, in whole seconds, 20 s at most; as the queue says, else 20 s. */
  readonly wait?: Duration | undefined;
  /** The definition that all its messages are for; they are routed. */
  readonly job?: string | undefined;
  /** Its share of the slots, beside other queues' weights; 1. */
  readonly weight?: number | undefined;
  /** What becomes of a message that is no definition's; `"bury"`. */
  readonly onUnroutable?: "bury" | "leave" | undefined;
  /** What becomes of a message whose job is given up where there are no dead letters; `"leave"`. */
  readonly onExhausted?: "leave" | "delete" | undefined;
  /** Buckets of S3 that a message's pointer may name. */
  readonly pointerBuckets?: readonly string[] | undefined;
  /** What becomes of such a payload when its message is deleted; `"keep"`. */
  readonly pointerPayloads?: "keep" | "delete" | undefined;
  /** Where `AWS_…` is read; this process's own. */
  readonly environment?: Environment | undefined;
  /** Told what the SDK warns of at calls of this queue; a worker of it tells that by the event `warning`. */
  readonly onWarning?: ((what: string) => void) | undefined;
}

/** How a queue is set, as it says itself. */
export interface SqsQueueFacts {
  readonly isFifo: boolean;
  /** Seconds; null: not known. */
  readonly visibilitySeconds: number | null;
  readonly waitSeconds: number | null;
  /** Deliveries after which a message goes to the dead letters; null: there is no such policy, or it is not known. */
  readonly maxReceiveCount: number | null;
  /** Whether a message is delivered again after a failure: not where the first delivery is the last. */
  readonly allowsRetries: boolean;
}

/** For workers of the queue. @throws ReeveError (configuration) for what is wrong in its options */
export let settingsOf: (queue: SqsQueue) => Promise<SqsQueueDefinition>;

/** An Amazon SQS queue, or one that speaks its protocol. The SDK is loaded with the first call. */
export class SqsQueue implements AsyncDisposable {
  readonly kind = "sqs";
  readonly url: string;
  readonly #options: SqsQueueOptions;
  #connection: Promise<SqsConnection> | null = null;

  static {
    settingsOf = (queue) => queue.#settings();
  }

  constructor(options: SqsQueueOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /**
   * Sends a job for a worker of the queue.
   *
   * @returns the job's id, wherever it runs
   * @throws ReeveError (usage) for what SQS would not take, (unavailable) when it could not be sent
   */
  async submit(request: MessageRequest): Promise<string> {
    const connection = await this.#connect();
    const { isFifo } = connection.address;
    const environment = this.#environment;
    const around = { definitions: new Map(), environment, cwd: process.cwd(), newId, isFifo };
    const { id, message } = newMessage(readMessageRequest(request), around);
    for (const sent of await connection.send([message])) if (sent.kind !== "ok") throw refused(sent);
    return id;
  }

  /** @throws ReeveError (unavailable) when it cannot be asked */
  async facts(): Promise<SqsQueueFacts> {
    const answer = await (await this.#connect()).facts();
    if (answer.kind !== "ok") throw refused(answer);
    const { isFifo, visibilitySeconds, waitSeconds, redrive } = answer.value;
    const maxReceiveCount = redrive.kind === "set" ? redrive.maxReceiveCount : null;
    const allowsRetries = maxReceiveCount === null || maxReceiveCount > 1;
    return { isFifo, visibilitySeconds, waitSeconds, maxReceiveCount, allowsRetries };
  }

  /** Workers of the queue go on: they have connections of their own. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    await (await connection)?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #environment(): Environment {
    return this.#options.environment ?? process.env;
  }

  async #connect(): Promise<SqsConnection> {
    this.#connection ??= this.#open();
    try {
      return await this.#connection;
    } catch (error) {
      // What was wrong may be put right.
      this.#connection = null;
      throw error;
    }
  }

  async #open(): Promise<SqsConnection> {
    const definition = await this.#settings();
    const { connectTo } = await import("../queue/sqs-connecting.ts");
    const environment = this.#environment;
    const warn = this.#options.onWarning ?? (() => {});
    return connectTo(definition, { runtime, clock: systemClock, random: Math.random, environment, warn });
  }

  async #settings(): Promise<SqsQueueDefinition> {
    const { environment: _, onWarning: __, ...given } = this.#options;
    const queue = await readQueue(given);
    if (queue.type !== "sqs") throw new Error("an SQS queue was read as another");
    return queue;
  }
}

function refused({ kind, message, hint }: Failure): ReeveError {
  if (kind === "refused") return new ReeveError(EXIT.usage, message, hint ?? undefined);
  return unavailable(message, hint ?? undefined);
}
