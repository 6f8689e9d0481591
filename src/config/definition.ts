/** One log in the order written, or stdout and stderr apart. */
export type OutputMode = "log" | "separate";

/** The signals, without `SIG`, that may ask a job to stop. */
export const STOP_SIGNALS = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL"] as const;

/** What a job's tree is sent first when it has to stop. */
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** What becomes of a job that did not fail by itself: it is put back, or counts as failed. */
export type PutBack = "release" | "fail";

/** Everything that bounds a job's run. Jobs without a definition have limits as well. */
export interface Limits {
  /** Milliseconds one attempt may take; null is no limit. */
  timeoutMs: number | null;
  /** Milliseconds between the stop signal and KILL. */
  graceMs: number;
  /** Failures after which a job is not run again. */
  maxAttempts: number;
  /** Starts without a recorded ending after which a job is not run again. */
  maxLost: number;
  /** Seconds that all attempts of a job may take together; 0 is no limit. */
  executionDuration: number;
  onLost: PutBack;
  onSignal: PutBack;
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
  stopSignal: StopSignal;
}

/** The limits of a job that nothing was said about, on the embedded queue. */
export const DEFAULT_LIMITS: Limits = {
  timeoutMs: null,
  graceMs: 10_000,
  maxAttempts: 1,
  maxLost: 3,
  executionDuration: 0,
  onLost: "release",
  onSignal: "fail",
  rejectCodes: [],
  releaseCodes: [],
  releaseDelayMs: 0,
  backoffBaseMs: 5000,
  backoffCapMs: 900_000,
  output: "log",
  stopSignal: "TERM",
};

/** The kinds of parameter; `strings` is a list of them. */
export const PARAMETER_KINDS = ["string", "integer", "number", "boolean", "file", "strings"] as const;

export type ParameterKind = (typeof PARAMETER_KINDS)[number];

/** What one parameter of a definition accepts. */
export interface ParameterDefinition {
  kind: ParameterKind;
  required: boolean;
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

/** Which messages are a definition's: those with this attribute, and this value of it. */
export interface Route {
  attribute: string;
  equals: string;
}

/** A named way to make jobs. */
export interface Definition {
  name: string;
  /** An argv template; its first word is the program. */
  command: string[];
  /** By their declared spelling; names are compared without case. */
  parameters: Map<string, ParameterDefinition>;
  limits: Limits;
  /** What the job's environment gets beyond the allow-list. */
  environment: Record<string, string>;
  /** Names that are passed on from the environment of Reeve itself, beyond the allow-list. */
  passEnvironment: string[];
  /** An absolute path. */
  cwd: string;
  description?: string;
  /** An argv template of its own. */
  exitHandler?: string[];
  route?: Route;
}

/** Where work comes from. */
export interface QueueDefinition {
  type: "sqlite" | "sqs";
  url?: string;
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
  definitions: Map<string, Definition>;
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
}
