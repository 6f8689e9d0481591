import { ANONYMOUS } from "../config/service-settings.ts";
import type { Attempt } from "../store/attempt.ts";
import type { ExitHandler } from "../store/clean-ups.ts";
import { bodySize, foregroundOf, type Inputs, type Job, type JobError, type Parameter } from "../store/job.ts";
import type { StoredResult } from "../store/outputs.ts";
import { unmetDependencies } from "../store/reading.ts";
import type { Store } from "../store/store.ts";

/** What stands in the place of a value that is shown to nobody. */
export const MASK = "***";

/** All that a document tells of. */
export interface JobFacts {
  readonly job: Job;
  readonly inputs: Inputs;
  readonly attempts: readonly Attempt[];
  readonly results: readonly Pick<StoredResult, "id" | "type" | "size">[];
  /** Ids of the jobs that it still waits for. */
  readonly waitsFor: readonly string[];
  /** What keeps its worker from its queue, in words; null: nothing, or it has no worker. */
  readonly workerTrouble: string | null;
  /** When it is likely to be complete; null: nobody can say, or has asked. */
  readonly quote: number | null;
}

export interface AttemptDocument {
  readonly number: number;
  /** As its queue counted the delivery; 0: it does not count. */
  readonly receiveCount: number;
  readonly startTime: string;
  readonly endTime: string | null;
  readonly ending: Attempt["ending"];
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly cause: Attempt["cause"];
  readonly detail: string | null;
  readonly pid: number | null;
  /** Seconds of processor time; null: unknown. */
  readonly cpuUser: number | null;
  readonly cpuSystem: number | null;
  /** Bytes; null: unknown. */
  readonly peakMemory: number | null;
  readonly verdict: Attempt["verdict"];
  readonly worker: string;
  readonly cleanUp: CleanUpDocument | null;
  /** Seconds that it stood still, but for the suspension that goes on. */
  readonly suspended: number;
  readonly suspendedSince: string | null;
  /** Until when it may run, as it asked for itself; null: as its limits say. */
  readonly deadline: string | null;
  /** Bytes of its output that were not kept. */
  readonly outputLeftOut: number;
}

/** What the exit handler did; outcome null: it is at it. */
export interface CleanUpDocument {
  readonly outcome: Attempt["cleanUp"];
  readonly tries: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Of all tries; null: not known yet. */
  readonly seconds: number | null;
}

export interface ParameterDocument {
  readonly id: string;
  readonly value: string | readonly string[];
  /** The value is the path of a file. */
  readonly byReference: boolean;
}

export interface ErrorSummary {
  readonly message: string;
  readonly type: JobError["type"];
  readonly cause: string | null;
  readonly hint: string | null;
  /** What more the job itself said, such as a stack; absent: nothing. */
  readonly detail?: string;
}

/** A job under the names of UWS 1.1. Times are ISO 8601, UTC; what is not known, or not so, is null. */
export type JobDocument = ReturnType<typeof jobDocument>;

/** Reads all that is known of a job, and makes its document. */
export const readDocument = (store: Store, job: Job): JobDocument => jobDocument(readFacts(store, job));

export function readFacts(store: Store, job: Job, quote: number | null = null): JobFacts {
  return {
    job,
    inputs: store.jobs.inputs(job.seq),
    attempts: job.attempts === 0 ? [] : store.attempts.of(job.seq),
    results: job.attempts === 0 ? [] : store.outputs.listed(job.seq),
    waitsFor: job.waiting === 0 ? [] : unmetDependencies(store.database, job.seq).map(({ id }) => id),
    workerTrouble: job.worker === null ? null : (store.workers.one(job.worker)?.trouble ?? null),
    quote,
  };
}

/** The secrets in what a job was asked to do are masked. */
export function jobDocument(facts: JobFacts) {
  const { job, inputs, results } = facts;
  return {
    jobId: job.id,
    phase: job.phase,
    runId: job.runId,
    ownerId: shownOwner(job),
    quote: isoTime(facts.quote),
    creationTime: isoTime(job.createdAt),
    startTime: isoTime(job.startedAt),
    endTime: isoTime(job.endedAt),
    executionDuration: job.executionDuration,
    destruction: isoTime(job.destruction),
    parameters: inputs.parameters.map(parameterDocument),
    results: results.map(({ id, type, size }) => ({ id, mimeType: type, size })),
    errorSummary: errorSummary(job),
    jobInfo: jobInfo(facts),
  };
}

/** Null: nobody who said who they are. */
export const shownOwner = ({ owner }: Pick<Job, "owner">): string | null => (owner === ANONYMOUS ? null : owner);

/** What UWS leaves to the service to tell. */
export function jobInfo({ job, inputs, attempts, waitsFor, workerTrouble }: JobFacts) {
  const last = attempts.at(-1);
  return {
    attempts: attempts.map(attemptDocument),
    exitCode: last?.exitCode ?? null,
    signal: last?.signal ?? null,
    progress: job.progress === null ? null : { fraction: job.progress, message: job.progressMessage },
    queue: foregroundOf(inputs) ? null : (job.queue ?? "sqlite"),
    messageId: job.messageId,
    definition: job.definition,
    command: commandOf(inputs, last),
    exitHandler: exitHandlerOf(inputs, last),
    cwd: inputs.context.kind === "command" ? inputs.context.cwd : (last?.cwd ?? null),
    bodySize: bodySize(inputs),
    priority: job.priority,
    failures: job.failures,
    lost: job.lost,
    due: isoTime(job.availableAt),
    expires: isoTime(job.expiresAt),
    waitsFor,
    worker: job.worker,
    workerTrouble,
    abortBy: job.abortBy,
    suspendBy: job.suspendBy,
    heldBy: job.heldBy,
    verdict: job.verdict,
    buried: isoTime(job.buriedAt),
    retryOf: job.retryOf,
    retriedAs: job.retriedAs,
  };
}

/** ISO 8601 with milliseconds and `Z`; null stays null. */
export function isoTime(at: number): string;
export function isoTime(at: number | null): string | null;
export function isoTime(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function attemptDocument(attempt: Attempt): AttemptDocument {
  return {
    number: attempt.number,
    receiveCount: attempt.receiveCount,
    startTime: isoTime(attempt.startedAt),
    endTime: isoTime(attempt.endedAt),
    ending: attempt.ending,
    exitCode: attempt.exitCode,
    signal: attempt.signal,
    cause: attempt.cause,
    detail: attempt.detail,
    pid: attempt.pid,
    cpuUser: inSeconds(attempt.userMicroseconds),
    cpuSystem: inSeconds(attempt.systemMicroseconds),
    peakMemory: attempt.peakBytes,
    verdict: attempt.verdict,
    worker: attempt.worker,
    cleanUp: cleanUpDocument(attempt),
    suspended: attempt.suspendedMs / 1000,
    suspendedSince: isoTime(attempt.suspendedAt),
    deadline: isoTime(deadlineOf(attempt)),
    outputLeftOut: attempt.leftOut,
  };
}

/** Until when it may run as it asked for itself, which standing still puts off; null: it asked for nothing. */
export const deadlineOf = ({ startedAt, allowedMs, suspendedMs }: Attempt): number | null =>
  allowedMs === null ? null : startedAt + suspendedMs + allowedMs;

function cleanUpDocument(attempt: Attempt): CleanUpDocument | null {
  if (attempt.cleanUp === null && attempt.cleanUpTries === 0) return null;
  return {
    outcome: attempt.cleanUp,
    tries: attempt.cleanUpTries,
    exitCode: attempt.cleanUpExitCode,
    signal: attempt.cleanUpSignal,
    seconds: attempt.cleanUpMs === null ? null : attempt.cleanUpMs / 1000,
  };
}

const inSeconds = (microseconds: number | null): number | null => (microseconds === null ? null : microseconds / 1e6);

function parameterDocument({ name, values, file, secret }: Parameter): ParameterDocument {
  const [first = "", ...others] = secret ? [MASK] : values;
  return { id: name, value: others.length > 0 ? [first, ...others] : first, byReference: file };
}

/** The error that a job ended with, or that its last attempt did. */
export function errorSummary({ error }: Pick<Job, "error">): ErrorSummary | null {
  if (error === null) return null;
  // The store itself wrote it.
  const { message, type, cause = null, hint = null, detail } = JSON.parse(error) as JobError;
  return { message, type, cause, hint, ...(detail !== undefined && { detail }) };
}

/** All that is known of an error, for people. */
export const errorTextOf = ({ message, hint, detail }: ErrorSummary): string =>
  [message, hint ?? [], detail ?? []].flat().join("\n");

/** The argv that was submitted, or that the last attempt's template came to, with its secrets masked. */
export function commandOf(inputs: Inputs, last: Pick<Attempt, "command"> | undefined): string[] | null {
  const resolved = last?.command ?? null;
  // The store itself wrote it.
  return masked(inputs, inputs.command ?? (resolved === null ? null : (JSON.parse(resolved) as string[])));
}

/** The argv of what cleans up, as it was submitted or as the last attempt had it, with its secrets masked. */
export function exitHandlerOf(inputs: Inputs, last: Pick<Attempt, "exitHandler"> | undefined): string[] | null {
  const submitted = inputs.context.kind === "command" ? inputs.context.exitHandler : undefined;
  const resolved = last?.exitHandler ?? null;
  // The store itself wrote it.
  return masked(inputs, submitted ?? (resolved === null ? null : (JSON.parse(resolved) as ExitHandler).argv));
}

function masked(inputs: Inputs, argv: readonly string[] | null): string[] | null {
  const secrets = secretsOf(inputs);
  return argv && argv.map((word) => secrets.reduce((text, secret) => text.replaceAll(secret, MASK), word));
}

function secretsOf({ parameters, context }: Inputs): string[] {
  const values = parameters.filter(({ secret }) => secret).flatMap((parameter) => parameter.values);
  const variables = context.kind === "command" ? context.secrets.map((name) => context.environment[name] ?? "") : [];
  // The longest first, since one may be part of another.
  return [...values, ...variables].filter(Boolean).toSorted((one, other) => other.length - one.length);
}
