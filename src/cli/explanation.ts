import { unreachable } from "../errors.ts";
import { describeEnding } from "../store/endings.ts";
import type { Decision } from "../store/decisions.ts";
import type { Job } from "../store/job.ts";
import { isFinal } from "../store/phases.ts";
import { unmetDependencies } from "../store/reading.ts";
import type { Store } from "../store/store.ts";
import { deadlineOf, errorSummary } from "../uws/document.ts";
import type { Context } from "./context.ts";
import { livingWorkers, takingWorkers } from "./living-workers.ts";
import { counted } from "./render/text.ts";
import { timeAndAge } from "./render/times.ts";
import { commandForLetter } from "../store/retrying.ts";

/** What can be said of a job's fate. */
export interface Explanation {
  readonly job: Job;
  readonly story: readonly Decision[];
  /** Sentences on what it waits for, or how it ended. */
  readonly now: readonly string[];
  /** Commands that may help. */
  readonly next: readonly string[];
}

type State = Pick<Explanation, "now" | "next">;

export async function explainJob(context: Context, job: Job): Promise<Explanation> {
  return { job, story: storyOf(context, job), ...(await stateOf(context, job)) };
}

/** The submission is not a row of its own: the job's says it. */
function storyOf({ store }: Context, job: Job): Decision[] {
  const { context } = store.jobs.inputs(job.seq);
  const origin = job.retryOf === null ? null : `it runs job ${job.retryOf} again`;
  const verb = context.kind === "command" && context.foreground ? "run" : "submit";
  const where = context.kind === "command" ? `from ${context.cwd}` : `as ${job.definition}`;
  if (job.queue !== null) return [arrival(job, origin), ...store.decisions.of(job.seq)];
  const what = `${verb === "run" ? "run" : "submitted"} ${where}`;
  return [{ at: job.createdAt, what, by: job.owner ?? verb, why: origin }, ...store.decisions.of(job.seq)];
}

function arrival({ createdAt, queue, messageId, definition }: Job, origin: string | null): Decision {
  const what = definition === null ? `came as message ${messageId}` : `came as message ${messageId}, for ${definition}`;
  return { at: createdAt, what, by: queue ?? "", why: origin };
}

async function stateOf(context: Context, job: Job): Promise<State> {
  switch (job.phase) {
    case "PENDING":
      return { now: ["It was submitted to be started by hand."], next: [`reeve start ${job.id}`] };
    case "HELD":
      return held(context, job);
    case "QUEUED":
      return queued(context, job);
    case "EXECUTING":
      return executing(context, job);
    case "SUSPENDED":
      return suspended(context, job);
    case "UNKNOWN":
      return unknown(job);
    case "COMPLETED":
      return { now: [`It completed${lastEnding(context, job)}.`], next: [`reeve logs ${job.id}`] };
    case "ERROR":
    case "ABORTED":
      return failed(job);
    case "ARCHIVED":
      return { now: ["Its time is over; only its record is kept."], next: [] };
    default:
      return unreachable(job.phase);
  }
}

function held({ store }: Context, job: Job): State {
  const failed = unmetDependencies(store.database, job.seq);
  const now = failed.map(({ id, phase }) => `It waits for job ${id}, which is ${phase}.`);
  const retries = failed.filter(({ phase }) => isFinal(phase)).map(({ id }) => `reeve retry ${id}`);
  const who = job.heldBy === null ? "It is held" : `${job.heldBy} holds it`;
  return { now: [...now, `${who} until it is started by hand.`], next: [...retries, `reeve start ${job.id}`] };
}

async function queued(context: Context, job: Job): Promise<State> {
  const { store, clock } = context;
  if (job.queue !== null) return awaited(context, job, job.queue);
  const waits = unmetDependencies(store.database, job.seq);
  const now = waits.map(({ id, phase }) => `It waits for job ${id}, which is ${phase}.`);
  if (job.waiting > waits.length) now.push("It waits for a job that has been deleted.");
  const error = errorSummary(job);
  if (error) now.push(`Its last attempt failed: ${stopped(error.message)} It will be run again.`);
  if (job.availableAt !== null) now.push(`It is due at ${timeAndAge(job.availableAt, clock.now())}.`);
  if (job.expiresAt !== null) now.push(`It expires at ${timeAndAge(job.expiresAt, clock.now())}.`);
  const workers = (await takingWorkers(store)).length;
  if (workers === 0) return { now: [...now, "No worker is running on this store."], next: ["reeve work"] };
  if (job.waiting > 0) return { now, next: job.waiting > waits.length ? [`reeve start ${job.id}`] : [] };
  return { now: [...now, `It waits for a free place on ${counted(workers, "worker")}.`], next: ["reeve list"] };
}

/** Its message is in a queue elsewhere, which gives it out again. */
async function awaited({ store, clock }: Context, job: Job, queue: string): Promise<State> {
  const error = errorSummary(job);
  const now = error ? [`Its last attempt ended so: ${stopped(error.message)}`] : [];
  const due = job.availableAt === null ? "" : `, at ${timeAndAge(job.availableAt, clock.now())} or later`;
  now.push(`It is run again when ${queue} delivers its message again${due}, here or to another host.`);
  const workers = await takingWorkers(store);
  if (workers.length === 0) return { now, next: [`reeve work --queue ${queue}`] };
  const ill = workers.filter(({ trouble }) => trouble !== null);
  now.push(...ill.map(({ id, trouble }) => `Worker ${id} is ill: ${trouble}.`));
  return { now, next: ill.length > 0 ? [`reeve doctor --queue ${queue}`] : [] };
}

async function executing(context: Context, job: Job): Promise<State> {
  const { store, clock } = context;
  const attempt = store.attempts.one(job.seq, job.attempts);
  const process = attempt?.pid ? ` as process ${attempt.pid}` : "";
  const since = attempt ? ` since ${timeAndAge(attempt.startedAt, clock.now())}` : "";
  const now = [`Attempt ${job.attempts} runs${process} on worker ${job.worker}${since}.`];
  const deadline = attempt ? deadlineOf(attempt) : null;
  if (deadline !== null) now.push(`It asked to be allowed to run until ${timeAndAge(deadline, clock.now())}.`);
  if (job.suspendBy !== null) now.push(`${job.suspendBy} wants it to stand still.`);
  return withWorker(context, job, now, `reeve logs -f ${job.id}`);
}

async function suspended(context: Context, job: Job): Promise<State> {
  const { store, clock } = context;
  const since = store.attempts.one(job.seq, job.attempts)?.suspendedAt ?? null;
  const time = since === null ? "" : ` since ${timeAndAge(since, clock.now())}`;
  const who = job.suspendBy === null ? "It is about to go on" : `${job.suspendBy} wants it so`;
  const now = [`Attempt ${job.attempts} stands still on worker ${job.worker}${time}. ${who}.`];
  return withWorker(context, job, now, `reeve resume ${job.id}`);
}

/** What is to be said of a job that a worker has. */
async function withWorker({ store }: Context, job: Job, now: string[], next: string): Promise<State> {
  if (job.abortBy !== null) now.push(`${job.abortBy} has asked for its abort.`);
  const workers = await livingWorkers(store);
  if (workers.some(({ id }) => id === job.worker)) return { now, next: [next] };
  return { now: [...now, withoutWorker(store, job)], next: workers.length === 0 ? ["reeve work"] : [] };
}

function withoutWorker(store: Store, { id, seq, attempts }: Job): string {
  const outlives = store.attempts.one(seq, attempts)?.directory === store.location.outlivingAttempt(id, attempts);
  if (!outlives) return "That worker is gone; the next one puts the job in order.";
  return "No worker watches it at present: it outlives that one, and the next adopts it.";
}

function unknown(job: Job): State {
  const error = errorSummary(job);
  const now = [error ? `What became of it is not known: ${stopped(error.message)}` : "What became of it is not known."];
  return { now, next: [`reeve abort ${job.id}`] };
}

function failed(job: Job): State {
  const error = errorSummary(job);
  const what = job.phase === "ABORTED" ? "It was aborted" : "It failed";
  const now = [error ? `${what}: ${stopped(error.message)}` : `${what}.`];
  if (job.failures > 1) now.push(`It failed ${job.failures} times.`);
  if (job.retriedAs !== null) now.push(`It was run again as job ${job.retriedAs}.`);
  const logs = job.attempts > 0 ? [`reeve logs ${job.id}`] : [];
  const again = job.retriedAs === null ? retryHint(job) : `reeve why ${job.retriedAs}`;
  return { now, next: [...logs, ...(again === null ? [] : [again])] };
}

/** What came from a queue elsewhere is run again by being sent there again. */
const retryHint = (job: Job): string | null =>
  job.queue === null ? `reeve retry ${job.id}` : commandForLetter(job, job.queue);

/** Reasons of ours end with a full stop, what a program says may end with anything. */
const stopped = (text: string): string => (text.endsWith(".") ? text : `${text}.`);

function lastEnding({ store }: Context, job: Job): string {
  const last = store.attempts.one(job.seq, job.attempts);
  if (last?.exitCode === null || last?.exitCode === undefined) return "";
  return ` with ${describeEnding({ ending: { kind: "exited", code: last.exitCode }, cause: last.cause })}`;
}
