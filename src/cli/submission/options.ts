import type { VerbOption } from "../verb.ts";
import { optionForm } from "../arguments.ts";
import { LIMIT_OPTIONS } from "./limits.ts";

const RUN_ID: VerbOption = ["--run-id <text>", "a label of your own"];

/** What is said of a job, whatever it runs. */
export const JOB_OPTIONS: readonly VerbOption[] = [
  ["--param <k=v>", "a parameter of the definition; may be repeated"],
  ["--file <k=@path>", "a file parameter of the definition; may be repeated"],
  ["--body <text>", "what the job reads on stdin"],
  ["--body-file <file>", "the same, from a file or stdin (-)"],
  ["--priority <n>", "higher ones are run first (0)"],
  ["--delay <duration>", "not before so much time has passed"],
  ["--expires <duration>", "aborted if not started by then"],
  ["--after <id>", "only when that job has completed; may be repeated"],
  ["--dedupe <key>", "not beside a job of the same key that has not been started"],
  ["--hold", "wait for `reeve start`"],
  RUN_ID,
  ["--execution-duration <duration>", "the running time of all attempts together (no limit)"],
];

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
  ...COMMAND_OPTIONS.filter(([flags]) => isForeground(flags)).map(([flags, description]): VerbOption => [
    flags,
    isOutput(flags) ? "kept as one log, or apart (as ours are)" : description,
  ]),
];
