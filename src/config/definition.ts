import type { QueueDefinition } from "./queue-definition.ts";
import type { ServiceSettings, User } from "./service-settings.ts";

/** One log in the order written, or stdout and stderr apart. */
export type OutputMode = "log" | "separate";

/** The signals, without `SIG`, that may ask a job to stop. */
export const STOP_SIGNALS = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL"] as const;

/** What a job's tree is sent first when it has to stop. */
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** What becomes of a job that did not fail by itself: it is put back, or counts as failed. */
export type PutBack = "release" | "fail";

/** What may become of a job that a stop of its worker made exit with 0. */
export const TERM_EXIT_ZERO = ["release", "completed"] as const;

/** How a job's processes are kept apart from the others: not at all, or in a pid namespace with an init of its own. */
export const ISOLATIONS = ["none", "pid"] as const;

export type Isolation = (typeof ISOLATIONS)[number];

/** What holds a tree together beside its marks: what can be had, control groups or nothing, nothing. */
export const CONTAINMENTS = ["auto", "cgroup", "marks"] as const;

export type Containment = (typeof CONTAINMENTS)[number];

/** How much of the machine a job's processes may have. What is absent is not bounded by us. */
export interface ResourceLimits {
  /** Bytes, of the whole tree. */
  memoryBytes?: number;
  /** Processors, of the whole tree. */
  cpus?: number;
  /** Processes at once, of the whole tree. */
  processes?: number;
  /** Seconds of processor time, of each process. */
  cpuSeconds?: number;
  /** Open descriptors, of each process. */
  openFiles?: number;
  /** Bytes, of each file that is written. */
  fileSizeBytes?: number;
  /** From -20 to 19, see nice(2). */
  nice?: number;
  /** See umask(2). */
  umask?: number;
  /** A user's name or number; its processes run as that one. */
  user?: string;
  /** A group's name or number; else the user's own group. */
  group?: string;
  /** Those of the above that are done without where they cannot be had. */
  optional: readonly ResourceName[];
}

export type ResourceName = Exclude<keyof ResourceLimits, "optional">;

/** Everything that bounds a job's run. Jobs without a definition have limits as well. */
export interface Limits {
  /** Milliseconds one attempt may take; null is no limit. */
  timeoutMs: number | null;
  /** Milliseconds between the stop signal and KILL. */
  graceMs: number;
  /** Failures after which a job is not run again; null: 1, or as an SQS queue's redrive policy says. */
  maxAttempts: number | null;
  /** Starts without a recorded ending after which a job is not run again. */
  maxLost: number;
  /** Seconds that all attempts of a job may take together; 0 is no limit. */
  executionDuration: number;
  onLost: PutBack;
  /** Null: "fail", or "release" on SQS. */
  onSignal: PutBack | null;
  /** Exit codes that say: never run this again. */
  rejectCodes: number[];
  /** Exit codes that say: not now, put it back. */
  releaseCodes: number[];
  /** Milliseconds before a job that was put back by its exit code is due again. */
  releaseDelayMs: number;
  /** Milliseconds: the first step of the exponential backoff. */
  backoffBaseMs: number;
  /** Milliseconds: no backoff is longer. */
  backoffCapMs: number;
  output: OutputMode;
  /** Bytes of output that are kept of one attempt, from its beginning and its end; null: all. */
  outputLimitBytes: number | null;
  /** When each line was written is kept, too. */
  timestamps: boolean;
  stopSignal: StopSignal;
  /** Milliseconds that a job may go on by itself when its worker stops. */
  finishMs: number;
  /** What becomes of a job that a stop of its worker made exit with 0. */
  termExitZero: (typeof TERM_EXIT_ZERO)[number];
  /** Milliseconds that one try of the exit handler may take. */
  exitHandlerMs: number;
  /** What the main process left running lives on. */
  keepDescendants: boolean;
  isolate: Isolation;
  /** It goes on when its worker ends; the next worker adopts it. */
  outlive: boolean;
  resources: ResourceLimits;
}

/** The limits of a job that nothing was said about. */
export const DEFAULT_LIMITS: Limits = {
  timeoutMs: null,
  graceMs: 10_000,
  maxAttempts: null,
  maxLost: 3,
  executionDuration: 0,
  onLost: "release",
  onSignal: null,
  rejectCodes: [],
  releaseCodes: [],
  releaseDelayMs: 0,
  backoffBaseMs: 5000,
  backoffCapMs: 900_000,
  output: "log",
  outputLimitBytes: null,
  timestamps: false,
  stopSignal: "TERM",
  finishMs: 0,
  termExitZero: "release",
  exitHandlerMs: 30_000,
  keepDescendants: false,
  isolate: "none",
  outlive: false,
  resources: { optional: [] },
};

/** The kinds of parameter; `strings` is a list of them. */
export const PARAMETER_KINDS = ["string", "integer", "number", "boolean", "file", "strings"] as const;

export type ParameterKind = (typeof PARAMETER_KINDS)[number];

/** A place in a message: its body as a whole (an empty path) or a field of it, or one of its attributes. */
export type MessagePlace = { from: "body"; path: string[] } | { from: "attribute"; name: string };

/** What one parameter of a definition accepts. */
export interface ParameterDefinition {
  kind: ParameterKind;
  required: boolean;
  /** Where in a message its value is, if the message gives it there. */
  from?: MessagePlace;
  /** As the job gets it: numbers and booleans as text. */
  default?: string | string[];
  min?: number;
  max?: number;
  choices?: string[];
  /** A regular expression that the whole value must match. */
  pattern?: string;
  /** In characters. */
  maxLength?: number;
  /** Its value is masked wherever it would be shown. */
  secret: boolean;
  /** Whether its value may begin an argument with `-`, which a program could take for an option. */
  allowLeadingDash: boolean;
  description?: string;
}

/**
 * Which messages are a definition's: those with this attribute, or this field of a JSON body (`type`, `detail.type`),
 * and this value of it.
 */
export type Route = { attribute: string; equals: string } | { field: string; equals: string };

/** The name of what has none: the command of `work -- COMMAND`. */
export const COMMAND_LINE = "";

/** A named way to make jobs. */
export interface Definition {
  name: string;
  /** An argv template; its first word is the program. */
  command: string[];
  /** By their declared spelling; names are compared without case. */
  parameters: Map<string, ParameterDefinition>;
  limits: Limits;
  /** What the job's environment gets beyond the allow-list; its values are templates. */
  environment: Record<string, string>;
  /** Names that are passed on from the environment of Reeve itself, beyond the allow-list. */
  passEnvironment: string[];
  /** An absolute path. */
  cwd: string;
  description?: string;
  /** An argv template of its own. */
  exitHandler?: string[];
  route?: Route;
  /** What it is where it is no command: an export of a module. `command` starts it. */
  function?: {
    readonly file: string;
    readonly name: string;
    /** The argv that cleans up after it, when the name of the export that does so is added. */
    readonly exit: readonly string[];
    /** Processes that have loaded the module and wait for jobs. */
    readonly warm: number;
  };
}

/** What `reeve.toml` says, completed with the defaults. */
export interface Configuration {
  /** An absolute path; null if there is no file. */
  file: string | null;
  /** An absolute path: where the file is, or the caller's directory if there is none. */
  directory: string;
  /** A null path is the default place for state. */
  store: { path: string | null; durability: "full" | "normal" };
  worker: WorkerSettings;
  queues: Map<string, QueueDefinition>;
  /** The module of jobs that is named instead of definitions, an absolute path; what is in it, only it can tell. */
  jobsFile: string | null;
  definitions: Map<string, Definition>;
  service: ServiceSettings;
  /** Who may use the service; none: every client of this machine. */
  users: ReadonlyMap<string, User>;
}

/** The settings of `[worker]`. */
export interface WorkerSettings {
  /** Jobs at once; null is one per processor. */
  concurrency: number | null;
  /** Milliseconds between two looks for dead workers. */
  recoveryIntervalMs: number;
  /** Milliseconds in which a worker that is told to stop has to have stopped. */
  stopBudgetMs: number;
  /** Milliseconds without a first success after which store or queue count as out of reach. */
  connectTimeoutMs: number;
  containment: Containment;
  /** A stop of the worker ends also the jobs that would outlive it. */
  endOutliving: boolean;
  /** Milliseconds in which a module's `route` has to say whose a message is. */
  routeTimeoutMs: number;
}
