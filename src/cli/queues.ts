import { systemClock } from "../clock.ts";
import type { Configuration } from "../config/definition.ts";
import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../config/queue-definition.ts";
import { suggestion } from "../config/wording.ts";
import { usageError } from "../errors.ts";
import type { SqsConnection } from "../queue/sqs/connection.ts";
import { runtime } from "../runtime/index.ts";
import type { Options } from "./invocation.ts";
import { remark } from "./streams.ts";

/** A queue as a verb was told of it. Null: the store's own. */
export interface ChosenQueue {
  /** As `reeve.toml` calls it; else its URL. */
  readonly name: string;
  readonly definition: SqsQueueDefinition | null;
}

/**
 * The queue that `--queue` names: one of `reeve.toml`, an SQS queue by its URL, or `sqlite`. Undefined: it names none.
 *
 * @param option another option that names a queue
 * @throws ReeveError (usage) for a name that nothing has.
 */
export function chosenQueue(
  options: Options,
  configuration: Configuration,
  option: "queue" | "to" = "queue",
): ChosenQueue | undefined {
  const given = options.text(option);
  if (given === undefined) return undefined;
  const endpoint = options.text("endpoint");
  const withEndpoint = (definition: SqsQueueDefinition): SqsQueueDefinition =>
    endpoint === undefined ? definition : { ...definition, endpoint };
  if (/^https?:/i.test(given)) return { name: given, definition: withEndpoint({ ...DEFAULT_SQS_QUEUE, url: given }) };
  const known = configuration.queues.get(given);
  if (known) return { name: given, definition: known.type === "sqs" ? withEndpoint(known) : null };
  if (given === "sqlite") return { name: given, definition: null };
  throw usageError(
    `--${option} ${given}: reeve.toml has no such queue${suggestion(given, configuration.queues.keys())}`,
    "a name of [queues.…], an SQS queue's URL, or sqlite",
  );
}

/** Loads the SDK, and makes what is needed to talk to the queue. Whoever asked for it closes it. */
export async function connectTo(definition: SqsQueueDefinition): Promise<SqsConnection> {
  const { connectTo: connect } = await import("../queue/sqs-connecting.ts");
  const environment = process.env;
  return connect(definition, { runtime, clock: systemClock, random: Math.random, environment, warn: remark });
}
