import type { Configuration } from "../../config/definition.ts";
import { configurationError, usageError } from "../../errors.ts";
import type { SqsConnection } from "../../queue/sqs/connection.ts";
import type { Options } from "../invocation.ts";
import { chosenQueue, connectTo, type ChosenQueue } from "../queues.ts";
import { remark } from "../streams.ts";
import { failed } from "./failed.ts";

/** A dead letter queue, and the queue that its letters belong to. */
export interface LetterQueues {
  readonly letters: SqsConnection;
  readonly target: SqsConnection;
  close(): Promise<void>;
}

/**
 * Finds the dead letter queue of `--queue` by its redrive policy; with `--to`, `--queue` is the dead letter queue itself.
 *
 * @throws ReeveError where there is none, or the queue is out of reach
 */
export async function openQueues(
  definition: NonNullable<ChosenQueue["definition"]>,
  options: Options,
  configuration: Configuration,
): Promise<LetterQueues> {
  const named = await connectTo(definition);
  try {
    const queues = options.has("to") ? await towards(named, options, configuration) : await besideIt(named);
    await warnOfLooking(queues.letters);
    return queues;
  } catch (error) {
    await named.close();
    throw error;
  }
}

async function towards(letters: SqsConnection, options: Options, configuration: Configuration): Promise<LetterQueues> {
  const definition = chosenQueue(options, configuration, "to")?.definition;
  if (!definition) throw usageError("--to must name an SQS queue", "by its URL, or as [queues.…] of reeve.toml");
  if (definition.url === letters.address.url) throw usageError("--queue and --to are the same queue");
  const target = await connectTo(definition);
  return { letters, target, close: async () => void (await Promise.all([letters.close(), target.close()])) };
}

async function besideIt(target: SqsConnection): Promise<LetterQueues> {
  const facts = await target.facts();
  if (facts.kind !== "ok") throw failed(facts);
  const found = await target.deadLetterQueue(facts.value);
  if (found.kind !== "ok") throw failed(found);
  if (found.value.kind === "none") throw configurationError(found.value.message, HINT);
  const letters = target.beside(found.value.url);
  return { letters, target, close: () => target.close() };
}

const HINT = "if it is a dead letter queue itself, --to names the queue that its letters belong to";

async function warnOfLooking(letters: SqsConnection): Promise<void> {
  const facts = await letters.facts();
  if (facts.kind !== "ok") throw failed(facts);
  const { redrive } = facts.value;
  if (redrive.kind !== "set") return;
  const { name } = letters.address;
  remark(`${name} has a redrive policy itself: after ${redrive.maxReceiveCount} looks a letter moves on from it`);
}
