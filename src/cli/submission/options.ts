import type { VerbOption } from "../verb.ts";
import { optionForm } from "../arguments.ts";
import { LIMIT_OPTIONS } from "./limits.ts";

const RUN_ID: VerbOption = ["--run-id <text>", "a label of your own"];

const PARAMETERS: readonly VerbOption[] = [
  ["--param <k=v>", "a parameter of the definition; may be repeated (SQS: no secret ones, which the queue would show)"],
  ["--file <k=@path>", "a file parameter of the definition; may be repeated; not on SQS"],
];

const JOB_ITSELF: readonly VerbOption[] = [
  ...PARAMETERS,
  ["--body <text>", "what the job reads on stdin (SQS: the message, as it is, without a definition)"],
  ["--body-file <file>", "the same, from a file or stdin (-)"],
  ["--priority <n>", "higher ones are run first (0); not on SQS"],
  ["--delay <duration>", "not before so much time has passed (SQS: 15m at most)"],
  ["--expires <duration>", "aborted if not started by then; not on SQS"],
  ["--after <id>", "only when that job has completed; may be repeated; not on SQS"],
  ["--dedupe <key>", "not beside a job of the same key that has not been started (SQS: on a FIFO queue)"],
  ["--hold", "wait for `reeve start`; not on SQS"],
  RUN_ID,
  ["--execution-duration <duration>", "the running time of all attempts together (no limit); not on SQS"],
];

/** Where a job is queued. */
const QUEUE: readonly VerbOption[] = [
  ["--queue <url|name>", "an SQS queue, or one of reeve.toml (the store's own)"],
  ["--endpoint <url>", "where that queue's service is (the URL's host, or the environment's)"],
];

/** What is said of a message on SQS. */
const MESSAGE: readonly VerbOption[] = [
  ["--attribute <k=v>", "SQS: an attribute, a text; k:Number=5, k:Binary=BASE64; may be repeated"],
  ["--group <name>", "SQS: the message's group; a FIFO queue needs one"],
  ["--trace-header <text>", "SQS: an X-Ray header (else TRACEPARENT is sent, if it is set)"],
];

/** What is said of one job, whatever it runs. */
export const ONE_JOB_OPTIONS: readonly VerbOption[] = [...JOB_ITSELF, ...MESSAGE];

/** The same, and where it goes. */
export const JOB_OPTIONS: readonly VerbOption[] = [...QUEUE, ...ONE_JOB_OPTIONS];

/** How a command is to be run; a definition says this of itself. */
export const COMMAND_OPTIONS: readonly VerbOption[] = [
  ["--env <name[=value]>", "pass a variable on, or set it; may be repeated"],
  ["--secret-env <name[=value]>", "the same, and show its value to nobody"],
  ["--cwd <dir>", "where the command runs (here)"],
  ["--exit-handler <word>", "what cleans up after it: a program, then its arguments, an option each"],
  ...LIMIT_OPTIONS,
];

/** They are about a queue, or about more than one worker. */
const OF_THE_QUEUE = new Set(["max-attempts", "max-lost", "finish-timeout", "term-exit-zero", "outlive"]);

const isForeground = (flags: string): boolean => !OF_THE_QUEUE.has(optionForm(flags).name);
const isOutput = (flags: string): boolean => optionForm(flags).name === "output";

/** The same for a command in the foreground. */
export const FOREGROUND_OPTIONS: readonly VerbOption[] = [
  RUN_ID,
  ...PARAMETERS.map(([flags, description]): VerbOption => [flags, description.replace(/ \(SQS.*|; not on SQS/, "")]),
  ...COMMAND_OPTIONS.filter(([flags]) => isForeground(flags)).map(([flags, description]): VerbOption => [
    flags,
    isOutput(flags) ? "kept as one log, or apart (as ours are)" : description,
  ]),
];
