import type { Definition } from "../../config/definition.ts";
import { JOB_ATTRIBUTE } from "../../config/routing.ts";
import { shown } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import type { Environment } from "../../process/environment.ts";
import { isTrace, TRACE_ATTRIBUTE } from "../../process/trace.ts";
import { sizeOf, type Attribute, type Attributes, type OutgoingMessage } from "../../queue/sqs/message.ts";
import { MAX_ATTRIBUTES, MAX_MESSAGE_BYTES } from "../../queue/sqs/sending.ts";
import { writtenAttributes } from "./attributes.ts";
import { bodyOf } from "./build.ts";
import { jobBody } from "./job-body.ts";
import { refuseJobOptions } from "./meaningless.ts";
import { bodyText } from "./message-text.ts";
import type { JobRequest } from "./request.ts";

const XRAY_HEADER = /^(?:[^;=]+=[^;]*;)*Root=1-[\da-f]{8}-[\da-f]{24}(?:;[^;=]+=[^;]*)*;?$/i;

const LONGEST_DELAY_SECONDS = 900;
/** Of a group and of a deduplication id: letters, digits and punctuation. */
const IDENTIFIER = /^[\u0021-\u007e]{1,128}$/;

/** What is around those who send. */
export interface Sending {
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly environment: Environment;
  readonly cwd: string;
  readonly newId: () => string;
  /** Whether the queue is a FIFO queue. */
  readonly isFifo: boolean;
}

/** A job on its way to an SQS queue. */
export interface SentJob {
  readonly id: string;
  /** The name of its definition; null: the body is the caller's own. */
  readonly job: string | null;
  readonly message: OutgoingMessage;
}

/**
 * The message that a job is sent as: `{"job":…,"params":…}`, or the body that is given, as it is.
 *
 * @throws ReeveError (usage) for whatever SQS would not take, or means nothing there.
 */
export function newMessage(request: JobRequest, around: Sending): SentJob {
  refuseJobOptions(request);
  const id = around.newId();
  const attributes = attributesOf(request, id, around.environment);
  const message: OutgoingMessage = {
    body: bodyTextOf(request, attributes, around),
    attributes,
    ...delayOf(request, around.isFifo),
    ...groupOf(request, around.isFifo),
    ...deduplicationOf(request, id, around.isFifo),
    ...traceOf(request),
  };
  refuseTooLarge(message);
  return { id, job: request.job, message };
}

function bodyTextOf(request: JobRequest, attributes: Attributes, { definitions, cwd }: Sending): string {
  const { job } = request;
  return job === null ? rawBody(request, cwd) : jobBody(job, request, definitions.get(job), attributes);
}

function rawBody(request: JobRequest, cwd: string): string {
  const [stray] = request.parameters;
  if (stray) throw usageError(`the parameter ${shown(stray.name)} is given, and no definition that has it`);
  const bytes = bodyOf(request, cwd);
  if (bytes !== null) return bodyText(bytes);
  throw usageError("nothing to submit", "name a definition of the worker's reeve.toml, or give --body");
}

function attributesOf(request: JobRequest, id: string, { TRACEPARENT: trace }: Environment): Map<string, Attribute> {
  const attributes = writtenAttributes(request.attributes);
  attributes.set(JOB_ATTRIBUTE, { dataType: "String", text: id });
  if (attributes.size > MAX_ATTRIBUTES) {
    throw usageError(
      `${request.attributes.length} attributes are given`,
      `SQS takes ${MAX_ATTRIBUTES}, and one of them is the job's id`,
    );
  }
  // Nobody asked for it, so nothing is refused for it: what is no trace is ignored, as W3C has it.
  const isWanted = request.traceHeader === null && !attributes.has(TRACE_ATTRIBUTE) && attributes.size < MAX_ATTRIBUTES;
  if (isWanted && isTrace(trace)) attributes.set(TRACE_ATTRIBUTE, { dataType: "String", text: trace });
  return attributes;
}

function delayOf({ delayMs }: JobRequest, isFifo: boolean): Pick<OutgoingMessage, "delaySeconds"> {
  if (delayMs === null) return {};
  // Whole seconds, and never earlier than asked for.
  const delaySeconds = Math.ceil(delayMs / 1000);
  if (isFifo) {
    throw usageError("a FIFO queue delays no single message", "DelaySeconds of the queue itself holds for all of them");
  }
  if (delaySeconds <= LONGEST_DELAY_SECONDS) return { delaySeconds };
  throw usageError(
    "SQS delays a message for 15 minutes at most",
    "submit it later: from cron, or EventBridge Scheduler",
  );
}

function groupOf({ group }: JobRequest, isFifo: boolean): Pick<OutgoingMessage, "groupId"> {
  if (group !== null) return { groupId: identifier("group", group) };
  if (!isFifo) return {};
  throw usageError(
    "a FIFO queue needs a group: the messages of one are run one after the other",
    "--group NAME; groups of their own let jobs run side by side",
  );
}

function deduplicationOf(
  { dedupe }: JobRequest,
  id: string,
  isFifo: boolean,
): Pick<OutgoingMessage, "deduplicationId"> {
  if (isFifo) return { deduplicationId: dedupe === null ? id : identifier("dedupe", dedupe) };
  if (dedupe === null) return {};
  throw usageError(
    "a standard queue of SQS drops no doubles, so `dedupe` means nothing there",
    "a FIFO queue does (its name ends in .fifo), and so does the store's own queue",
  );
}

function identifier(setting: string, text: string): string {
  if (IDENTIFIER.test(text)) return text;
  throw usageError(`\`${setting}\` is ${shown(text)}`, "1 to 128 letters, digits and marks of ASCII, without spaces");
}

function traceOf({ traceHeader }: JobRequest): Pick<OutgoingMessage, "traceHeader"> {
  if (traceHeader === null) return {};
  if (XRAY_HEADER.test(traceHeader)) return { traceHeader };
  throw usageError(
    `\`trace-header\` is no X-Ray header: ${shown(traceHeader)}`,
    "such as Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
  );
}

function refuseTooLarge(message: OutgoingMessage): void {
  const size = sizeOf(message);
  if (size <= MAX_MESSAGE_BYTES) return;
  throw usageError(
    `the message has ${size} bytes with its attributes, and SQS takes ${MAX_MESSAGE_BYTES}`,
    "put the data where the worker can get it, such as S3, and send its name",
  );
}
