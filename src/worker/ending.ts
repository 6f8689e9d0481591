import type { Limits } from "../config/definition.ts";
import { unreachable } from "../errors.ts";
import type { Takings } from "../process/port.ts";
import { abortedBy, describeEnding } from "../store/endings.ts";
import type { Cause, CleanUp, Ending, Job, JobError, Settlement } from "../store/job.ts";

/** What is known when an attempt is judged. */
export interface Facts {
  readonly ending: Ending;
  readonly cause: Cause | null;
  /** Who asked for the abort, where the cause is one. */
  readonly abortBy: string | null;
  readonly job: Job;
  readonly limits: Limits;
  /** What the job itself said was wrong. */
  readonly said: Takings["error"];
  /** When it wants to be run again, where its exit code puts it back; absent: as its limits say. */
  readonly releaseMs?: Takings["releaseMs"];
  /** Null: there was nothing to clean up, or nobody to do it. */
  readonly cleanUp: CleanUp | null;
  /** Whether a missing program may turn up: a definition's, in a worker that stays. */
  readonly programMayTurnUp: boolean;
  readonly random: () => number;
}

/** Signals that somebody sends; the others a program brings on itself. */
const FROM_OUTSIDE = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);
/** How a shell tells the same of its child: 128 + n. */
const EXITS_FROM_OUTSIDE = new Set([129, 130, 131, 137, 143]);

const SHORT_OF_RESOURCES = new Set(["EAGAIN", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC"]);
const NO_PROGRAM = new Set(["ENOENT", "EACCES", "ENOEXEC", "ENOTDIR", "EPERM"]);
/** A limit that this machine cannot enforce; another worker's may. */
const NOT_HERE = "ENOTSUP";

/** A death that a stop of the worker may explain, if that comes within a moment. */
export function mayBeOfAStop(ending: Ending): boolean {
  if (ending.kind === "signalled") return ending.signal !== null && FROM_OUTSIDE.has(ending.signal);
  return ending.kind === "exited" && EXITS_FROM_OUTSIDE.has(ending.code);
}

export const isShortOfResources = (ending: Ending): boolean =>
  ending.kind === "spawn failed" && SHORT_OF_RESOURCES.has(ending.errno);

export const isMissingProgram = (ending: Ending): boolean =>
  ending.kind === "spawn failed" && (NO_PROGRAM.has(ending.errno) || ending.errno === NOT_HERE);

/** The one place where an ending becomes a phase and a verdict. */
export function judge(facts: Facts): Settlement {
  const settlement = judgeEnd(facts);
  return facts.cleanUp?.outcome === "failed" ? judgeDirty(settlement) : settlement;
}

function judgeEnd(facts: Facts): Settlement {
  if (facts.cause !== null) return judgeCause(facts, facts.cause);
  const { ending, limits } = facts;
  switch (ending.kind) {
    case "exited":
      return judgeExit(facts, ending.code);
    case "signalled":
      return isReleased(facts) && mayBeOfAStop(ending) ? lost(facts) : failed(facts);
    case "spawn failed":
      return judgeSpawn(facts, ending.errno);
    case "lost":
      return limits.onLost === "release" ? lost(facts) : buried(facts, "transient");
    case "not started":
      throw new Error("what was not started is judged by what was done instead");
    case "rejected":
      return buried(facts, "fatal");
    default:
      return unreachable(ending);
  }
}

/** Why somebody made it end counts for more than how it then ended. */
function judgeCause(facts: Facts, cause: Cause): Settlement {
  switch (cause) {
    case "timeout":
      return failed(facts);
    case "abort":
      return abortedBy(facts.abortBy ?? "its client");
    case "overrun":
      return { ...buried(facts, "fatal"), phase: "ABORTED" };
    case "memory":
      return isReleased(facts) ? lost(facts) : failed(facts);
    case "stop":
      if (isWanted(facts)) return judgeExit(facts, 0);
      return { phase: "QUEUED", verdict: { kind: "release", delayMs: 0 }, counts: "nothing", error: errorOf(facts) };
    case "expired":
      return { phase: "ABORTED", verdict: { kind: "acknowledge" }, counts: "nothing", error: errorOf(facts) };
    case "lease lost":
      return { phase: "UNKNOWN", verdict: { kind: "leave" }, counts: "nothing", error: errorOf(facts) };
    default:
      return unreachable(cause);
  }
}

/** Of a death that came from outside: it is no failure of the job's. */
const isReleased = ({ limits, job }: Facts): boolean =>
  (limits.onSignal ?? (job.queue === null ? "fail" : "release")) === "release";

/** It was asked to stop, and says by its exit code that it has done what it had to. */
function isWanted({ ending, limits }: Facts): boolean {
  return limits.termExitZero === "completed" && ending.kind === "exited" && ending.code === 0;
}

function judgeExit(facts: Facts, code: number): Settlement {
  const { limits, said } = facts;
  if (code === 0) return { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null };
  if (limits.rejectCodes.includes(code) || said?.type === "fatal") return buried(facts, "fatal");
  if (!limits.releaseCodes.includes(code)) return failed(facts);
  const verdict = { kind: "release", delayMs: facts.releaseMs ?? limits.releaseDelayMs } as const;
  return { phase: "QUEUED", verdict, counts: "nothing", error: errorOf(facts) };
}

function judgeSpawn(facts: Facts, errno: string): Settlement {
  const mayTurnUp = facts.programMayTurnUp && (NO_PROGRAM.has(errno) || errno === NOT_HERE);
  const waits = SHORT_OF_RESOURCES.has(errno) || mayTurnUp;
  if (waits) {
    const verdict = { kind: "release", delayMs: facts.limits.backoffBaseMs } as const;
    return { phase: "QUEUED", verdict, counts: "nothing", error: errorOf(facts) };
  }
  // As a shell would exit, with what the job's limits say of that.
  return NO_PROGRAM.has(errno) ? judgeExit(facts, errno === "ENOENT" ? 127 : 126) : buried(facts, "fatal");
}

/** A failure: once more after a while, as long as the budget lasts. */
function failed(facts: Facts): Settlement {
  const { job, limits } = facts;
  // A queue elsewhere counts by itself.
  const most = limits.maxAttempts ?? (job.queue === null ? 1 : Number.POSITIVE_INFINITY);
  if (job.failures + 1 >= most) return { ...buried(facts, "transient"), counts: "failure" };
  const verdict = { kind: "release", delayMs: backoff(job.failures, limits, facts.random) } as const;
  return { phase: "QUEUED", verdict, counts: "failure", error: errorOf(facts) };
}

/** Not the job's fault, as far as is known; but a job that is lost again and again may be what kills its workers. */
function lost(facts: Facts): Settlement {
  if (facts.job.lost + 1 >= facts.limits.maxLost) return { ...buried(facts, "transient"), counts: "lost" };
  const verdict = { kind: "release", delayMs: 0 } as const;
  return { phase: "QUEUED", verdict, counts: "lost", error: errorOf(facts) };
}

function buried(facts: Facts, type: JobError["type"]): Settlement {
  const error = errorOf(facts, type);
  return { phase: "ERROR", verdict: { kind: "bury", reason: error.message }, counts: "nothing", error };
}

/** What nobody could end may still run: such a job is never given out again. */
export function judgeStuck(settlement: Settlement, left: string): Settlement {
  if (settlement.phase !== "QUEUED") {
    const error = settlement.error ?? { message: "the job ended", type: "transient" };
    return { ...settlement, error: { ...error, message: `${error.message}; ${left}`, type: "fatal" } };
  }
  const error: JobError = { message: left, type: "fatal", hint: "end them by hand, then `reeve retry`" };
  return { phase: "ERROR", verdict: { kind: "bury", reason: left }, counts: "nothing", error };
}

/** Running it again without a clean-up might make things worse. */
export function judgeDirty({ counts, error }: Settlement): Settlement {
  const failed = "its exit handler failed twice";
  const message = error ? `${error.message}; ${failed}` : failed;
  const hint = "clean up by hand, then `reeve retry`";
  return {
    phase: "ERROR",
    verdict: { kind: "bury", reason: message },
    counts,
    error: { ...error, message, type: "fatal", hint },
  };
}

/** What is to become of it waits until somebody has cleaned up: its next start does. */
export function cleanUpFirst({ phase, verdict, counts, error }: Settlement): Settlement {
  const wait = phase === "QUEUED" ? verdict : ({ kind: "release", delayMs: 0 } as const);
  return { phase: "QUEUED", verdict: wait, counts, error };
}

/**
 * Of a job that belongs to one process: it is not run again, whoever judges it, and no queue is to be told. What that
 * process was stopped at is ABORTED.
 */
export function forItsProcess({ phase, counts, error }: Settlement): Settlement {
  const putBackAs = error?.cause === "stop" ? "ABORTED" : "ERROR";
  return { phase: phase === "QUEUED" ? putBackAs : phase, verdict: { kind: "leave" }, counts, error };
}

/** Nothing has happened. */
export const AGAIN: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 0 },
  counts: "nothing",
  error: null,
};

/** What it is to become then; null: it is run again. What the attempt counts as has been counted by then. */
export const pendingOf = (judged: Settlement): Settlement | null =>
  judged.phase === "QUEUED" ? null : { ...judged, counts: "nothing" };

/** Exponential, with full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export function backoff(failures: number, limits: Limits, random: () => number): number {
  const ceiling = Math.min(limits.backoffCapMs, limits.backoffBaseMs * 2 ** Math.min(failures, 30));
  return Math.round(ceiling * random());
}

function errorOf(facts: Facts, type: JobError["type"] = "transient"): JobError {
  const { ending, cause, job, said } = facts;
  const how = describeEnding({ ending, cause });
  return {
    message: said ? `${said.message} (${how})` : how,
    type: said?.type ?? type,
    ...(cause !== null && { cause }),
    ...(said?.detail !== undefined && { detail: said.detail }),
    ...(ending.kind !== "rejected" && ending.kind !== "spawn failed" && { hint: `reeve logs ${job.id}` }),
  };
}

/** What the worker counts it as. */
export function countedAs({ phase }: Settlement): "completed" | "failed" | "putBack" {
  if (phase === "COMPLETED") return "completed";
  return phase === "ERROR" || phase === "ABORTED" ? "failed" : "putBack";
}
