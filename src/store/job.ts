import type { Limits } from "../config/definition.ts";
import type { Body } from "../config/message-body.ts";
import type { FinalPhase, Phase } from "./phases.ts";

/** What changes while a job lives. Times are milliseconds since 1970, UTC. */
export interface Job {
  /** Order of creation within this store; its row. */
  readonly seq: number;
  readonly id: string;
  readonly phase: Phase;
  readonly definition: string | null;
  readonly runId: string | null;
  readonly owner: string | null;
  readonly priority: number;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly destruction: number | null;
  /** Seconds that its attempts may run in sum; 0 = unlimited. */
  readonly executionDuration: number;
  /** Milliseconds that its ended attempts ran. */
  readonly runningMs: number;
  readonly availableAt: number | null;
  readonly expiresAt: number | null;
  /** Dependencies not met yet. */
  readonly waiting: number;
  readonly attempts: number;
  readonly failures: number;
  /** Starts without a recorded ending, or killed from outside. */
  readonly lost: number;
  readonly worker: string | null;
  readonly receipt: string | null;
  /** Who asked for its abort, while that is pending. */
  readonly abortBy: string | null;
  /** Who wants it to stand still, as long as that is so. */
  readonly suspendBy: string | null;
  /** Who holds it by hand; null: nobody does, though it may be HELD for what it waits for. */
  readonly heldBy: string | null;
  /** The attempt after which nobody has cleaned up yet; null: none. */
  readonly owed: number | null;
  readonly verdict: VerdictKind | null;
  /** JSON of a JobError. */
  readonly error: string | null;
  readonly buriedAt: number | null;
  readonly progress: number | null;
  readonly progressMessage: string | null;
  readonly retryOf: string | null;
  readonly retriedAs: string | null;
  /** The URL of the queue that it came from; null: it is the store's own. */
  readonly queue: string | null;
  /** The message that it came as; null: none. */
  readonly messageId: string | null;
  /** 1: that queue's dead letters have a copy of it. */
  readonly copied: number;
}

export const JOB_COLUMNS = `seq, id, phase, definition, run_id AS runId, owner, priority, created_at AS createdAt,
  started_at AS startedAt, ended_at AS endedAt, destruction, execution_duration AS executionDuration,
  running_ms AS runningMs, available_at AS availableAt, expires_at AS expiresAt, waiting, attempts, failures, lost,
  worker, receipt, abort_by AS abortBy, suspend_by AS suspendBy, held_by AS heldBy, owed, verdict, error, buried_at AS buriedAt, progress,
  progress_message AS progressMessage, retry_of AS retryOf, retried_as AS retriedAs, queue,
  message_id AS messageId, copied`;

/** UWS 1.1 errorSummary, with what else is known. */
export interface JobError {
  readonly message: string;
  readonly type: "transient" | "fatal";
  readonly cause?: string;
  readonly hint?: string;
  /** What more the job itself said, such as a stack; absent: nothing. */
  readonly detail?: string;
}

/** Where and under which limits jobs run that were submitted together. */
export type Context =
  | {
      readonly kind: "command";
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      /** Names of variables whose values are shown to nobody. */
      readonly secrets: readonly string[];
      readonly limits: Limits;
      /** The argv of what cleans up after a job that did not get to end by itself; absent: nothing does. */
      readonly exitHandler?: readonly string[];
      /** It belongs to the one process that was started for it; absent: any worker may run it. */
      readonly foreground?: Foreground;
    }
  /** Everything else is the definition's, as the worker has it. */
  | {
      readonly kind: "definition";
      /** The export of its module that cleans up after this job; null: nothing does; absent: as the definition has it. */
      readonly onExit?: string | null;
    };

/** What a job shares with the process that it belongs to. */
export interface Foreground {
  /** It wrote to that process's own streams, and nothing of that was kept. */
  readonly direct: boolean;
}

/** The part of the inputs that says whose the job is; null: any worker may run it. */
export const foregroundOf = ({ context }: Pick<Inputs, "context">): Foreground | null =>
  (context.kind === "command" ? context.foreground : undefined) ?? null;

export interface Parameter {
  readonly name: string;
  /** The text, or the path of a file where `file` is set; a list has one for each. */
  readonly values: readonly string[];
  readonly file: boolean;
  readonly secret: boolean;
  /** The file came over a wire and is in the job's directory; this is its media type, as the client says. */
  readonly type?: string;
  /** It belongs to the protocol by which the job was made (DALI), and is kept beside what the definition declares. */
  readonly protocol?: true;
}

/** What a job was asked to do. */
export interface Inputs {
  readonly context: Context;
  /** The argv as given; null for a job of a definition. */
  readonly command: readonly string[] | null;
  readonly parameters: readonly Parameter[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** In bytes; null: it has none. */
export function bodySize({ body }: Pick<Inputs, "body">): number | null {
  return body && (body.kind === "file" ? body.size : body.bytes.length);
}

/** What a queue is to be told of a message. */
export type Verdict =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "release"; readonly delayMs: number }
  | { readonly kind: "bury"; readonly reason: string }
  | { readonly kind: "leave" };

export type VerdictKind = Verdict["kind"];

/** What the end of an attempt makes of its job. */
export interface Settlement {
  readonly phase: Exclude<FinalPhase, "ARCHIVED"> | "QUEUED" | "UNKNOWN";
  readonly verdict: Verdict;
  /** What the attempt counts as. */
  readonly counts: "failure" | "lost" | "nothing";
  readonly error: JobError | null;
}

/** How an attempt's process ended. */
export type Ending =
  | { readonly kind: "exited"; readonly code: number }
  | {
      readonly kind: "signalled";
      /** Null: the runtime could not say which. */
      readonly signal: string | null;
      /** The kernel killed for want of memory: of the job's own limit, or of the machine's. Absent: not that it is known. */
      readonly outOfMemory?: "limit" | "machine";
    }
  | { readonly kind: "spawn failed"; readonly errno: string; readonly message: string }
  | { readonly kind: "lost" }
  /** There was something else to do first, and then nothing more to run. */
  | { readonly kind: "not started"; readonly reason: string }
  | { readonly kind: "rejected"; readonly reason: string };

/** Why an attempt ended, if someone made it end. The first cause wins. */
export type Cause = "timeout" | "overrun" | "abort" | "stop" | "memory" | "lease lost" | "expired";

/** What the exit handler did. */
export interface CleanUp {
  /** Owed: it was cut short, and the next start runs it first. */
  readonly outcome: "done" | "failed" | "owed";
  /** Tries that were begun, of two. */
  readonly tries: number;
  /** Of the last try; null where it did not end so. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Milliseconds of all tries. */
  readonly tookMs: number;
}

/** What is known of an attempt that has ended. */
export interface AttemptEnd {
  readonly ending: Ending;
  readonly cause: Cause | null;
  /** When the main process ended. */
  readonly endedAt: number;
  /** Milliseconds that it ran, by a clock that does not jump; absent: what the recorded times say. */
  readonly ranMs?: number;
  readonly pid: number | null;
  /** Null: unknown. */
  readonly userMicroseconds: number | null;
  readonly systemMicroseconds: number | null;
  readonly peakBytes: number | null;
  readonly outputs: readonly Output[];
  readonly results: readonly Result[];
  readonly progress: { readonly fraction: number; readonly message: string | null } | null;
  /** Absent: there was nothing to clean up, or nobody to do it. */
  readonly cleanUp?: CleanUp;
}

/** `exit handler`: what the exit handler wrote, of all tries. */
export type Stream = "log" | "stdout" | "stderr" | "exit handler";

/** Bytes that are in the row when they are few, in a file when they are many. */
export type Content =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly path: string; readonly size: number };

export interface Output {
  readonly stream: Stream;
  readonly content: Content;
  /** What was taken out of its middle; absent: nothing. */
  readonly leftOut?: LeftOut;
  /** When it was written, as marks; absent: that was not kept. */
  readonly times?: Content;
}

/** Bytes of an output that were not kept: from `start` up to `end`, which is kept again. */
export interface LeftOut {
  readonly start: number;
  readonly end: number;
}

export interface Result {
  readonly id: string;
  readonly type: string;
  readonly content: Content;
}
