import type { Isolation, OutputMode, PutBack, Route, StopSignal } from "../config/definition.ts";

/** `"10m"`, `"2h30m"`, `"500ms"`, or a number of seconds. */
export type Duration = string | number;

/** `"512M"`, `"2G"`, or a number of bytes. */
export type Size = string | number;

/** What a definition may say of itself: the keys of `[jobs.NAME]` in `reeve.toml`, as TypeScript writes names. */
export interface JobOptions {
  readonly description?: string;
  /** An attempt that takes longer is ended, and has failed. */
  readonly timeout?: Duration;
  /** Between the first signal and KILL (10s). */
  readonly grace?: Duration;
  /** Failures after which it is not run again (1; on SQS as the queue says). */
  readonly maxAttempts?: number;
  /** Starts without a known end after which it is not run again (3). */
  readonly maxLost?: number;
  /** For all attempts together. */
  readonly executionDuration?: Duration;
  readonly onLost?: PutBack;
  readonly onSignal?: PutBack;
  /** Exit codes that say what `Reject` says. */
  readonly reject?: readonly number[];
  /** Exit codes that say what `Release` says. */
  readonly release?: readonly number[];
  readonly releaseDelay?: Duration;
  readonly backoff?: Duration;
  readonly backoffCap?: Duration;
  readonly output?: OutputMode;
  readonly outputLimit?: Size;
  readonly timestamps?: boolean;
  readonly stopSignal?: StopSignal;
  readonly finishTimeout?: Duration;
  readonly termExitZero?: "release" | "completed";
  /** For one try of `onExit` (30s). */
  readonly exitHandlerTimeout?: Duration;
  readonly keepDescendants?: boolean;
  readonly isolate?: Isolation;
  readonly outlive?: boolean;
  /** Processes that each worker keeps ready, with the module loaded; each runs one job only (0). */
  readonly warm?: number;
  readonly limits?: ResourceOptions;
  /** Variables, with placeholders as in `reeve.toml`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of variables that are passed on. */
  readonly passEnv?: readonly string[];
  /** Relative to the module's directory, which it is if nothing is said. */
  readonly cwd?: string;
  /** Which messages are this job's. */
  readonly route?: Route;
}

/** How much of the machine its processes may have. */
export interface ResourceOptions {
  readonly memory?: Size;
  readonly cpu?: string | number;
  readonly processes?: number;
  readonly cpuTime?: Duration;
  readonly openFiles?: number;
  readonly fileSize?: Size;
  readonly nice?: number;
  readonly umask?: string;
  readonly user?: string | number;
  readonly group?: string | number;
  readonly optional?: readonly string[];
}
