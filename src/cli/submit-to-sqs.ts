import type { Configuration } from "../config/definition.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { shown, suggestion } from "../config/wording.ts";
import { EXIT, usageError } from "../errors.ts";
import { parseQueueUrl } from "../queue/sqs/address.ts";
import type { SqsConnection } from "../queue/sqs/connection.ts";
import type { Failure, Sent } from "../queue/sqs/outcome.ts";
import { newId } from "./ids.ts";
import type { Invocation } from "./invocation.ts";
import { connectTo } from "./queues.ts";
import { outliveReaders, print, remark } from "./streams.ts";
import { readLine } from "./submission/batch-line.ts";
import { readLines } from "./submission/lines.ts";
import { newMessage, type Sending, type SentJob } from "./submission/message.ts";
import { sendingProgress, type SendingProgress } from "./submission/sending-progress.ts";
import { batchSource, oneRequest } from "./submission/sources.ts";
import { errorOfBatch, errorOfOne, type Unsent } from "./submission/unsent.ts";

/** So many are sent before their ids are printed: a few batches for each of the lanes in which they go. */
const TOLD_TOGETHER = 400;

/** What is to be sent, in its order. */
interface Mail {
  /** The name of a batch; null: it is one job, of the command line. */
  readonly source: string | null;
  readonly jobs: readonly SentJob[];
  /** The line of the batch that each of them is from. */
  readonly lines: readonly number[];
}

/** Sends jobs to an SQS queue. No store is opened: what becomes of them is known where they are run. */
export async function submitToSqs(
  invocation: Invocation,
  queue: SqsQueueDefinition,
  { definitions }: Configuration,
): Promise<number> {
  const { options } = invocation;
  if (options.flag("wait")) {
    throw usageError(
      "`wait` cannot be had on SQS: how a job ends is known in the store of the worker that runs it",
      "`reeve wait ID` there",
    );
  }
  const { isFifo } = parseQueueUrl(queue.url);
  const around = { definitions, environment: process.env, cwd: process.cwd(), newId, isFifo };
  const mail = await mailOf(invocation, around);
  if (!options.flag("quiet")) remarkOnUnknown(mail.jobs, around);
  if (mail.jobs.length > 0) await sendMail(mail, queue, !options.flag("quiet"));
  return EXIT.done;
}

async function mailOf(invocation: Invocation, around: Sending): Promise<Mail> {
  if (!invocation.options.has("batch")) {
    return { source: null, jobs: [newMessage(await oneRequest(invocation), around)], lines: [] };
  }
  const source = await batchSource(invocation);
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

async function sendMail(mail: Mail, queue: SqsQueueDefinition, mayShowProgress: boolean): Promise<void> {
  const connection = await connectTo(queue);
  outliveReaders();
  const isLong = mail.jobs.length > TOLD_TOGETHER;
  const progress = sendingProgress(mail.jobs.length, isLong && mayShowProgress);
  try {
    const unsent = await sendAll(connection, mail.jobs, progress);
    progress.end();
    if (unsent.length === 0) return;
    if (mail.source === null) throw errorOfOne(unsent, connection.address);
    throw errorOfBatch(unsent, mail.source, mail.lines, lossOf(connection));
  } finally {
    await connection.close();
  }
}

/** Why the queue is out of reach: of the last batch that was tried, nothing could be sent. */
const lossOf = ({ health }: SqsConnection): Failure | null => health.worst?.lastFailure?.failure ?? null;

/** Prints the ids of those that have arrived, as they do. Gives the others. */
async function sendAll(
  connection: SqsConnection,
  jobs: readonly SentJob[],
  progress: SendingProgress,
): Promise<Unsent[]> {
  const unsent: Unsent[] = [];
  for (let from = 0; from < jobs.length; from += TOLD_TOGETHER) {
    const some = jobs.slice(from, from + TOLD_TOGETHER);
    const outcomes = await outcomesOf(connection, some);
    const arrived = some.filter((_, index) => outcomes[index]?.kind === "ok");
    await print(arrived.map(({ id }) => `${id}\n`).join(""));
    for (const [index, outcome] of outcomes.entries()) {
      const job = some[index];
      if (job && outcome.kind !== "ok") unsent.push({ job, index: from + index, failure: outcome });
    }
    progress.show(from + some.length - unsent.length);
  }
  return unsent;
}

/** Once the queue is out of reach, the rest would only wait for the same. */
async function outcomesOf(connection: SqsConnection, jobs: readonly SentJob[]): Promise<Sent[]> {
  const loss = lossOf(connection);
  return loss ? jobs.map(() => loss) : connection.send(jobs.map(({ message }) => message));
}
