import type { Cause, CleanUp, Ending, VerdictKind } from "./job.ts";

/** One run of a job, as its row has it. Times are milliseconds since 1970, UTC. */
export interface Attempt {
  readonly number: number;
  readonly worker: string;
  /** Where its files are while it runs. */
  readonly directory: string;
  readonly messageId: string;
  readonly receiveCount: number;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** JSON of the argv, where it is not the one that the job was submitted with. */
  readonly command: string | null;
  readonly cwd: string | null;
  readonly pid: number | null;
  readonly ending: Ending["kind"] | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly cause: Cause | null;
  /** The reason of a rejection, the error of a spawn, whose memory was used up. */
  readonly detail: string | null;
  readonly userMicroseconds: number | null;
  readonly systemMicroseconds: number | null;
  readonly peakBytes: number | null;
  readonly verdict: VerdictKind | null;
  /** JSON of an ExitHandler; null: there is none. */
  readonly exitHandler: string | null;
  /** Null: it was not run, or is being run. */
  readonly cleanUp: CleanUp["outcome"] | null;
  readonly cleanUpTries: number;
  readonly cleanUpExitCode: number | null;
  readonly cleanUpSignal: string | null;
  /** Milliseconds of all tries. */
  readonly cleanUpMs: number | null;
  /** Milliseconds that it stood still, but for the suspension that goes on. */
  readonly suspendedMs: number;
  /** Since when it stands still; null: it does not. */
  readonly suspendedAt: number | null;
  /** Bytes of its messages that were heard while it ran. */
  readonly heard: number;
  /** Milliseconds that it may run, as it asked for itself; null: as its limits say. */
  readonly allowedMs: number | null;
  /** Bytes of its output that were not kept. */
  readonly leftOut: number;
}

export const ATTEMPT_COLUMNS = `number, worker, directory, message_id AS messageId, receive_count AS receiveCount,
  started_at AS startedAt, ended_at AS endedAt, command, cwd, pid, ending, exit_code AS exitCode, signal, cause, detail,
  user_us AS userMicroseconds, system_us AS systemMicroseconds, peak_bytes AS peakBytes, verdict,
  exit_handler AS exitHandler, cleanup AS cleanUp, cleanup_tries AS cleanUpTries,
  cleanup_exit_code AS cleanUpExitCode, cleanup_signal AS cleanUpSignal, cleanup_ms AS cleanUpMs,
  suspended_ms AS suspendedMs, suspended_at AS suspendedAt, heard, allowed_ms AS allowedMs,
  (SELECT coalesce(sum(left_to - left_from), 0) FROM outputs
    WHERE outputs.job = attempts.job AND outputs.attempt = attempts.number) AS leftOut`;

/** Milliseconds until `at` in which it stood still. */
export const stoodStill = (
  { suspendedMs, suspendedAt }: Pick<Attempt, "suspendedMs" | "suspendedAt">,
  at: number,
): number => suspendedMs + (suspendedAt === null ? 0 : Math.max(0, at - suspendedAt));
