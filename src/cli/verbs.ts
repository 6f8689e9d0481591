import { CHECKING_VERBS } from "./checking-verbs.ts";
import { SQS_LETTER_OPTIONS } from "./dead-sqs/options.ts";
import { COMMAND_OPTIONS, FOREGROUND_OPTIONS, JOB_OPTIONS } from "./submission/options.ts";
import { SERVICE_VERBS } from "./serving/verbs.ts";
import { TOP_VERB } from "./top/verb.ts";
import { JOBS_OPTION, JSON_OPTION, QUIET, WORK_OPTIONS } from "./work-options.ts";
import type { Verb, VerbOption } from "./verb.ts";

/** Options of every verb. */
export const GLOBAL_OPTIONS: readonly VerbOption[] = [
  ["--store <dir>", "the store's directory (else REEVE_STORE, else reeve.toml's)"],
  ["--config <file>", "the configuration (else REEVE_CONFIG, else ./reeve.toml)"],
  ["--color", "colours, even where the output is no terminal"],
  ["--no-color", "no colours"],
];

const NO_WAIT: VerbOption = ["--no-wait", "do not wait until it has been done"];

/**
 * All verbs. Each file's `run` takes an {@link Invocation} (`args` beside the options, `options`, `command` after
 * `--`) and gives the exit code.
 */
export const VERBS: readonly Verb[] = [
  {
    name: "run",
    description: "run one command, or one job of a definition, here and now, supervised and recorded; exits as it does",
    args: "[...definition]",
    usage: "run [options] [DEFINITION] [-- COMMAND…]",
    takesCommand: true,
    ownStreams: true,
    options: [
      JOBS_OPTION,
      ...FOREGROUND_OPTIONS,
      ["--direct", "it writes to our own stdout and stderr (a terminal stays one), and nothing of it is kept"],
      ["--json", "at the end the job as JSON, the last line on stderr"],
    ],
    examples: [
      "reeve run --timeout 2h -- ./backup.sh",
      "pg_dump shop | reeve run --grace 1m -- ./upload.sh",
      "reeve run --jobs jobs.ts resize --param image=a.png",
    ],
    load: () => import("./run.ts"),
  },
  {
    name: "submit",
    description: "queue a job, here or on SQS (--queue); prints its id",
    args: "[definition]",
    usage: "submit [DEFINITION] [options] [-- COMMAND…]",
    takesCommand: true,
    options: [
      JOBS_OPTION,
      ...JOB_OPTIONS,
      ...COMMAND_OPTIONS,
      ["--batch <file>", "a job per line of JSON, with these options' names as keys; - is stdin"],
      ["--wait", "wait until it has ended, and exit as it did"],
      QUIET,
    ],
    examples: [
      "reeve submit -- sh -c 'echo hello'",
      "reeve submit resize --param image=a.png",
      "reeve submit --jobs jobs.ts resize --param image=a.png",
      "reeve submit --batch jobs.ndjson",
      "reeve submit --wait --timeout 10m -- make test",
      "reeve submit --queue https://sqs.eu-west-1.amazonaws.com/123456789012/jobs resize --param image=a.png",
      "reeve submit --queue main --body '{\"id\":7}' --attribute kind=order --delay 5m",
    ],
    load: () => import("./submit.ts"),
  },
  {
    name: "work",
    description:
      "run what is queued; JOB for each message of an SQS queue that is no other job's, or COMMAND, with {body.id}, {attr.kind} and {param.x}, for each",
    args: "[job]",
    usage: "work [JOB] [options] [-- COMMAND…]",
    takesCommand: true,
    options: WORK_OPTIONS,
    examples: [
      "reeve work",
      "reeve work --drain --concurrency 4",
      "reeve work --jobs jobs.ts",
      "reeve work --jobs jobs.ts --queue https://sqs.eu-west-1.amazonaws.com/1234/jobs resize",
      "reeve work --queue https://sqs.eu-west-1.amazonaws.com/1234/jobs -- ./handle.sh '{body.id}'",
    ],
    load: () => import("./work.ts"),
  },
  ...SERVICE_VERBS,
  {
    name: "list",
    description: "show the jobs, the newest first",
    options: [
      ["--phase <phase>", "only jobs in this phase; may be repeated"],
      ["--after <time>", "only jobs made later (ISO, UTC)"],
      ["--last <n|all>", "the newest so many (50)"],
      ["--owner <name>", "only this owner's"],
      JSON_OPTION,
    ],
    examples: ["reeve list", "reeve list --phase ERROR --last 5 --json"],
    load: () => import("./list.ts"),
  },
  {
    name: "show",
    description: "show all that is known of a job",
    args: "<id>",
    options: [JSON_OPTION],
    examples: ["reeve show 3f7", "reeve show 3f7 --json"],
    load: () => import("./show.ts"),
  },
  {
    name: "logs",
    description: "print what a job wrote",
    args: "<id>",
    options: [
      ["-f, --follow", "go on until the job has ended"],
      ["--attempt <n>", "of that attempt (the last)"],
      ["--all", "of all attempts"],
      ["--stream <stdout|stderr>", "only one, of a job that keeps them apart"],
      ["--tail <n>", "only the last lines"],
      ["--timestamps", "each line begins with the time at which it was written"],
      ["--exit-handler", "what its exit handler wrote"],
    ],
    examples: ["reeve logs -f 3f7", "reeve logs 3f7 --tail 20"],
    load: () => import("./logs.ts"),
  },
  {
    name: "result",
    description: "give the bytes of a result",
    args: "<id> [name]",
    options: [
      ["-o, --output <file>", "write them to a file"],
      ["--list", "the names, types and sizes instead"],
      JSON_OPTION,
    ],
    examples: ["reeve result 3f7 when.txt", "reeve result 3f7 map -o map.png", "reeve result 3f7 --list --json"],
    load: () => import("./result.ts"),
  },
  {
    name: "wait",
    description: "wait until jobs have ended; exits as the job did",
    args: "<...ids>",
    options: [["--timeout <duration>", "wait no longer; exit code 124"], QUIET, JSON_OPTION],
    examples: ["reeve wait 3f7 --timeout 10m"],
    load: () => import("./wait.ts"),
  },
  TOP_VERB,
  {
    name: "why",
    description: "tell a job's story, and what it waits for",
    args: "<id>",
    options: [JSON_OPTION],
    examples: ["reeve why 3f7"],
    load: () => import("./why.ts"),
  },
  {
    name: "start",
    description: "queue jobs that are held",
    args: "<...ids>",
    options: [],
    examples: ["reeve start 3f7"],
    load: () => import("./start.ts"),
  },
  {
    name: "hold",
    description: "keep jobs that are not running from being started",
    args: "<...ids>",
    options: [],
    examples: ["reeve hold 3f7", "reeve start 3f7"],
    load: () => import("./hold.ts"),
  },
  {
    name: "suspend",
    description: "make running jobs stand still, with all that they started",
    args: "<...ids>",
    options: [NO_WAIT],
    examples: ["reeve suspend 3f7"],
    load: () => import("./suspend.ts"),
  },
  {
    name: "resume",
    description: "let suspended jobs go on",
    args: "<...ids>",
    options: [NO_WAIT],
    examples: ["reeve resume 3f7"],
    load: () => import("./resume.ts"),
  },
  {
    name: "abort",
    description: "end jobs for good",
    args: "<...ids>",
    options: [NO_WAIT],
    examples: ["reeve abort 3f7"],
    load: () => import("./abort.ts"),
  },
  {
    name: "retry",
    description: "run ended jobs again, as new jobs; prints their ids",
    args: "<...ids>",
    options: [QUIET],
    examples: ["reeve retry 3f7"],
    load: () => import("./retry.ts"),
  },
  {
    name: "delete",
    description: "abort jobs that run, and forget them",
    args: "<...ids>",
    options: [],
    examples: ["reeve delete 3f7"],
    load: () => import("./delete.ts"),
  },
  {
    name: "clean",
    description: "forget many jobs: those whose time is over, and more",
    options: [
      ["--failed", "those in ERROR and ABORTED, too"],
      ["--completed", "those in COMPLETED, too"],
      ["--forgotten", "those in PENDING and HELD, too"],
      ["--all", "all of these, and those in QUEUED"],
      ["--older-than <duration>", "only what ended (or was made) so long ago"],
      ["--dry-run", "say what would be removed"],
      JSON_OPTION,
    ],
    examples: ["reeve clean", "reeve clean --failed --completed --older-than 7d"],
    load: () => import("./clean.ts"),
  },
  {
    name: "dead",
    description: "look at dead letters (list, show), run them again (retry) or forget them (purge)",
    args: "[action] [...ids]",
    usage: "dead list | show ID | retry ID…|--all | purge ID…|--all",
    options: [["--all", "all of them"], ...SQS_LETTER_OPTIONS, QUIET, JSON_OPTION],
    examples: [
      "reeve dead list",
      "reeve dead retry --all",
      "reeve dead retry --all --queue main --match 'exit code 3' --rate 5 --dry-run",
    ],
    load: () => import("./dead.ts"),
  },
  ...CHECKING_VERBS,
];
