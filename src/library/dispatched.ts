import type { WorkerEvent } from "../events.ts";
import { describeEnding } from "../store/endings.ts";
import type { Cause, Settlement, Verdict } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { JobFailed } from "./errors.ts";

/** What a job came as. */
export interface QueueMessage {
  /** The queue's own id of it; the job's, where that is the store's queue. */
  readonly id: string;
  /** The queue's URL, or `sqlite`. */
  readonly queue: string;
  /** Which delivery of it this was; null: the queue does not count. More than 1: it is a retry. */
  readonly receiveCount: number | null;
  /** Null: it has none, or a large one, or the job has been deleted. */
  readonly body: Uint8Array | null;
  /** The path of a large one, which is the job's own file. */
  readonly bodyFile: string | null;
  /** Binary ones as base64. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** One job that was taken from a queue, and what came of it. */
export interface DispatchedJob {
  readonly id: string;
  readonly definition: string | null;
  /** Which run of it this was; 1 is the first. */
  readonly attempt: number;
  /** QUEUED: it was put back. */
  readonly phase: Settlement["phase"];
  /** What its queue was told. */
  readonly verdict: Verdict;
  /** Null: it did not exit by itself. */
  readonly exitCode: number | null;
  /** `SIGKILL`; null: no signal ended it, or which is not known. */
  readonly signal: string | null;
  /** Why it ended, if someone made it end. */
  readonly cause: Cause | null;
  /** Milliseconds that it ran. */
  readonly ranMs: number;
  /** Whether it is to be run again. */
  readonly willRunAgain: boolean;
  readonly message: QueueMessage;
  /** Null: it did what it was to do, or was put back without a failure of its own. */
  readonly error: JobFailed | null;
}

type Ended = Extract<WorkerEvent, { readonly type: "job ended" }>;

/** @param worker its name */
export function dispatchedJob(store: Store, worker: string, ended: Ended): DispatchedJob {
  const { end, settlement, attempt, ranMs } = ended;
  const { phase, verdict } = settlement;
  const job = store.jobs.byId(ended.job);
  const facts = {
    id: ended.job,
    definition: job?.definition || null,
    attempt,
    phase,
    verdict,
    exitCode: end.ending.kind === "exited" ? end.ending.code : null,
    signal: end.ending.kind === "signalled" ? end.ending.signal : null,
    cause: end.cause,
    ranMs,
    willRunAgain: phase === "QUEUED",
    message: messageOf(store, ended),
  };
  return { ...facts, error: isFailure(settlement) ? failure(worker, facts, ended) : null };
}

const isFailure = ({ phase, counts }: Settlement): boolean =>
  phase !== "COMPLETED" && (phase !== "QUEUED" || counts !== "nothing");

function failure(worker: string, job: Omit<DispatchedJob, "error">, { end, settlement }: Ended): JobFailed {
  const { message, hint } = settlement.error ?? { message: describeEnding(end), hint: undefined };
  return new JobFailed(worker, job, message, hint);
}

function messageOf(store: Store, { job: id, attempt }: Ended): QueueMessage {
  const job = store.jobs.byId(id);
  const inputs = job && store.jobs.inputs(job.seq);
  const receiveCount = job ? (store.attempts.one(job.seq, attempt)?.receiveCount ?? 0) : 0;
  return {
    id: job?.messageId ?? id,
    queue: job?.queue ?? "sqlite",
    receiveCount: receiveCount > 0 ? receiveCount : null,
    body: inputs?.body?.kind === "inline" ? inputs.body.bytes : null,
    bodyFile: inputs?.body?.kind === "file" ? inputs.body.path : null,
    attributes: inputs?.attributes ?? {},
  };
}
