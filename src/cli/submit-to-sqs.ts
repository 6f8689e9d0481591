import type { Configuration } from "../config/definition.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { shown, suggestion } from "../config/wording.ts";
import { EXIT, usageError } from "../errors.ts";
import { parseQueueUrl } from "../queue/sqs/address.ts";
import type { SqsConnection } from "../queue/sqs/connection.ts";
import type { Failure, Sent } from "../queue/sqs/outcome.ts";
import { newId } from "../store/new-id.ts";
import type { Invocation } from "./invocation.ts";
import { connectTo } from "./queues.ts";
import { dieBy, exitCodeOf, listenForStop, type StopSignal } from "../process/stop-signals.ts";
import { outliveReaders, print, printError, remark } from "./streams.ts";
import { readLine } from "./submission/batch-line.ts";
import { readLines, type BatchSource } from "./submission/lines.ts";
import { newMessage, type Sending, type SentJob } from "./submission/message.ts";
import { sendingProgress, type SendingProgress } from "./submission/sending-progress.ts";
import { batchSource, oneRequest } from "./submission/sources.ts";
import { errorOfBatch, errorOfOne, type Unsent } from "./submission/unsent.ts";

/** So many are sent before their ids are printed: a few batches for each of the lanes in which they go. */
const TOLD_TOGETHER = 400;

const NO_WAITING = "`wait` cannot be had on SQS: how a job ends is known in the store of the worker that runs it";

/** What is to be sent of a batch, in its order. */
interface Mail {
  /** The batch's name. */
  readonly source: string;
  readonly jobs: readonly SentJob[];
  /** The line that each of them is from. */
  readonly lines: readonly number[];
}

/** Sends jobs to an SQS queue. No store is opened: what becomes of them is known where they are run. */
export async function submitToSqs(
  invocation: Invocation,
  queue: SqsQueueDefinition,
  { definitions }: Configuration,
): Promise<number> {
  const { options } = invocation;
  if (options.flag("wait")) throw usageError(NO_WAITING, "`reeve wait ID` there");
  const { isFifo } = parseQueueUrl(queue.url);
  const around = { definitions, environment: process.env, cwd: process.cwd(), newId, isFifo };
  const isQuiet = options.flag("quiet");
  if (!options.has("batch")) {
    const job = newMessage(await oneRequest(invocation), around);
    if (!isQuiet) remarkOnUnknown([job], around);
    return sendOne(job, queue);
  }
  const mail = readMail(await batchSource(invocation), around);
  if (!isQuiet) remarkOnUnknown(mail.jobs, around);
  return mail.jobs.length === 0 ? EXIT.done : sendBatch(mail, queue, !isQuiet);
}

function readMail(source: BatchSource, around: Sending): Mail {
  const read = readLines(source, (text) => newMessage(readLine(text), around));
  return { source: source.name, jobs: read.map(({ value }) => value), lines: read.map(({ line }) => line) };
}

function remarkOnUnknown(jobs: readonly SentJob[], { definitions }: Sending): void {
  const names = new Set(jobs.flatMap(({ job }) => (job === null || definitions.has(job) ? [] : [job])));
  for (const name of names) {
    const meant = suggestion(name, definitions.keys());
    remark(`no definition ${shown(name)} here${meant || ":"} only the worker checks its parameters`);
  }
}

async function sendOne(job: SentJob, queue: SqsQueueDefinition): Promise<number> {
  const connection = await connectTo(queue);
  try {
    for (const outcome of await connection.send([job.message])) {
      if (outcome.kind !== "ok") throw errorOfOne(job, outcome, connection.address);
    }
  } finally {
    await connection.close();
  }
  await print(`${job.id}\n`);
  return EXIT.done;
}

/** A batch that is stopped by a signal has its last ids printed, and tells what was not sent. */
async function sendBatch(
  { source, jobs, lines }: Mail,
  queue: SqsQueueDefinition,
  mayShowProgress: boolean,
): Promise<number> {
  const connection = await connectTo(queue);
  outliveReaders();
  const progress = sendingProgress(jobs.length, mayShowProgress && jobs.length > TOLD_TOGETHER);
  const signals = listenForStop(
    () => {},
    () => void connection.close(),
  );
  try {
    const obstacle = (): Failure | null => (signals.stoppedBy ? stoppedBy(signals.stoppedBy) : lossOf(connection));
    const unsent = await sendAll(connection, jobs, obstacle, progress);
    progress.end();
    if (unsent.length === 0) return EXIT.done;
    const error = errorOfBatch(unsent, source, lines, lossOf(connection));
    if (!signals.stoppedBy) throw error;
    await printError(`reeve: ${error.message}\n`);
    return exitCodeOf(signals.stoppedBy);
  } finally {
    await connection.close();
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

const stoppedBy = (signal: StopSignal): Failure => ({
  kind: "transient",
  name: signal,
  message: `stopped by ${signal}`,
  hint: null,
  unanswered: false,
});

/** Why the queue is out of reach: of the last batch that was tried, nothing could be sent. */
const lossOf = ({ health }: SqsConnection): Failure | null => health.worst?.lastFailure?.failure ?? null;

/**
 * Prints the ids of those that have arrived, as they do. Gives the others.
 *
 * @param obstacle why no more are to be tried; null: nothing is in the way
 */
async function sendAll(
  connection: SqsConnection,
  jobs: readonly SentJob[],
  obstacle: () => Failure | null,
  progress: SendingProgress,
): Promise<Unsent[]> {
  const unsent: Unsent[] = [];
  for (let from = 0; from < jobs.length; from += TOLD_TOGETHER) {
    const some = jobs.slice(from, from + TOLD_TOGETHER);
    const reason = obstacle();
    const outcomes: Sent[] = reason
      ? some.map(() => reason)
      : await connection.send(some.map(({ message }) => message));
    const arrived = some.filter((_, index) => outcomes[index]?.kind === "ok");
    await print(arrived.map(({ id }) => `${id}\n`).join(""));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind !== "ok") unsent.push({ index: from + index, failure: outcome });
    }
    progress.show(from + some.length - unsent.length);
  }
  return unsent;
}
