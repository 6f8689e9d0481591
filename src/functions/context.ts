import type { ResultFile } from "./api.ts";

/** The message that a job came as. */
export interface Message {
  /** Null: no queue has delivered it. */
  readonly id: string | null;
  /** The body as text; empty if there is none. It is read when it is asked for. */
  readonly body: string;
  /** The file that has the body, for what is large or no text; null: there is none. */
  readonly bodyFile: string | null;
  /** All of them, the system's too, as texts. */
  readonly attributes: Readonly<Record<string, string>>;
  /** How often it was delivered; null: that is not counted. */
  readonly receiveCount: number | null;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** A file, bytes, or anything that can be JSON. */
export type ResultValue = ResultFile | Uint8Array | string | number | boolean | null | object;

/** What every function of a job gets. */
interface Common<Params> {
  /** As they were declared and checked; a file is its path. */
  readonly params: Params;
  readonly message: Message;
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborted when the job is told to stop; the grace passes then, and what still runs is killed. */
  readonly signal: AbortSignal;
}

/** What `run` gets. Each of its reports is kept when its promise is, in the order in which they were made. */
export interface Context<Params> extends Common<Params> {
  /** How far it has come, from 0 to 1. */
  progress(fraction: number, message?: string): Promise<void>;
  /** A result of the job; the same id replaces. */
  result(id: string, value: ResultValue): Promise<void>;
  /** A line for the worker's log; what is written to the console is the job's output. */
  log(message: string, level?: LogLevel): Promise<void>;
  /** It may run for so many seconds from now, instead of its timeout; within its execution duration. */
  deadline(seconds: number): Promise<void>;
  /** What is wrong, where it does not throw: beside a run that returns it is a warning. */
  error(message: string, type?: "transient" | "fatal"): Promise<void>;
}

/** What `onExit` gets. */
export interface ExitContext<Params> extends Common<Params> {
  /** `timeout`, `overrun`, `abort`, `stop`, `memory`, `signal`, `lost`. */
  readonly cause: string;
}
