/**
 * What `import { … } from "reeve"` gives a module of jobs. It is served to the module by the program that runs it, so
 * that nothing has to be installed on a server; editors have it from the npm package.
 */
import type { JobOptions } from "./options.ts";
import type { Parameters, Values } from "./parameter-types.ts";
import { register } from "./registry.ts";
import type { Context, ExitContext } from "./context.ts";

export type { Context, ExitContext, LogLevel, Message, ResultValue } from "./context.ts";
export type { Argument, Route, RoutedTo, RouteResult } from "./route-types.ts";
export type { Duration, JobOptions, ResourceOptions, Size } from "./options.ts";
export type { Parameter, Parameters, ParameterType, Values } from "./parameter-types.ts";

/** A job as a function: what it takes, how long it may, and what it does. */
export interface JobSource<Params extends Parameters> extends JobOptions {
  /** Its parameters by name: a type that is required (`"string"`), or a table as in `reeve.toml`. */
  readonly params?: Params;
  /**
   * The work, in a process of its own. What it returns is the job's result `result`; what it throws makes the job fail,
   * but for `Reject` and `Release`, thrown or returned.
   */
  run(context: Context<Values<Params>>): unknown;
  /** Cleans up after a run that did not get to end by itself, in a process of its own. It must be idempotent. */
  onExit?(context: ExitContext<Values<Params>>): unknown;
}

declare const PARAMS: unique symbol;

/** A job that was defined. Its name is the one that it is exported by. */
export interface Job<Params extends Parameters = Parameters> {
  /** Types only. */
  readonly [PARAMS]?: Values<Params>;
}

/** Defines a job. Export it: the export's name is the job's. */
export function defineJob<const Params extends Parameters = Record<never, never>>(
  source: JobSource<Params>,
): Job<Params> {
  const job: Job<Params> = Object.freeze({});
  register(job, { ...source });
  return job;
}

/** Thrown or returned by `run` or `route`: never run this job again. Its message is a dead letter, with the reason. */
export class Reject extends Error {
  override readonly name = "Reject";
}

/** Thrown or returned by `run` or `route`: not now. The job, or message, is put back, which is no failure. */
export class Release extends Error {
  override readonly name = "Release";
  /** After which it is due again. */
  readonly seconds: number;

  /** @throws RangeError for what is no number of seconds. */
  constructor(seconds = 0, reason = "") {
    super(reason);
    if (!Number.isFinite(seconds) || seconds < 0) throw new RangeError(`Release(${seconds}) is no number of seconds`);
    this.seconds = seconds;
  }
}

/** A file that is a result. */
export class ResultFile {
  readonly path: string;
  /** Null: by the ending of its name. */
  readonly type: string | null;

  constructor(path: string, type: string | null) {
    this.path = path;
    this.type = type;
  }
}

/** A file for `result`, or to be returned; a copy of it becomes the result, with this media type. */
export function file(path: string, { type }: { readonly type?: string } = {}): ResultFile {
  return new ResultFile(path, type ?? null);
}
