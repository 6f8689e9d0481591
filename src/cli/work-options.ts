import { COMMAND_OPTIONS } from "./submission/options.ts";
import type { VerbOption } from "./verb.ts";

export const QUIET: VerbOption = ["-q, --quiet", "no remarks on stderr"];

export const JSON_OPTION: VerbOption = ["--json", "JSON on stdout"];

/** Where jobs come from that are functions. */
export const JOBS_OPTION: VerbOption = [
  "--jobs <file>",
  "a TypeScript module that exports jobs; may be repeated (else `jobs` of reeve.toml)",
];

/** The last of them are for `work -- COMMAND`. */
export const WORK_OPTIONS: readonly VerbOption[] = [
  JOBS_OPTION,
  [
    "--queue <name>",
    "the queue to work on: one of reeve.toml, an SQS queue's URL, or sqlite (all of reeve.toml, else sqlite)",
  ],
  ["--endpoint <url>", "where that queue is asked, instead of at its URL's host"],
  ["--concurrency <n>", "jobs at once (one per processor)"],
  ["--warm <n>", "processes that wait for jobs of each function (as each says itself)"],
  ["--param <k=v>", "a parameter for the command; may be repeated"],
  ["--once", "run one job, then exit"],
  ["--drain", "exit when nothing is left to run"],
  ["--idle-exit <duration>", "exit after so long without a job"],
  ["--max-jobs <n>", "exit after so many jobs"],
  ["--max-time <duration>", "take no more jobs after so long, then stop"],
  ["--end-outliving", "a stop ends also the jobs that would outlive it"],
  ["--metrics <file>", "numbers for Prometheus, as a textfile that is replaced when they have changed"],
  ["--json", "logs as a JSON object per line"],
  QUIET,
  ...COMMAND_OPTIONS,
];

export const SERVE_OPTIONS: readonly VerbOption[] = [
  JOBS_OPTION,
  ["--listen <address>", "HOST:PORT of this machine itself, or unix:PATH (127.0.0.1:8080)"],
  ["--concurrency <n>", "work on the queues as well, so many jobs at once (none)"],
  ["--allow-host <name>", "a name by which clients know it, behind a proxy; may be repeated"],
  ["--json", "logs as a JSON object per line"],
  QUIET,
];
