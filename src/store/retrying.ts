import type { Clock } from "../clock.ts";
import { DEFAULT_LIMITS } from "../config/definition.ts";
import { EXIT, ReeveError } from "../errors.ts";
import type { Context, Inputs, Job } from "./job.ts";
import { newId } from "./new-id.ts";
import { isFinal } from "./phases.ts";
import type { Store } from "./store.ts";
import type { NewJob } from "./submission.ts";
import { shareUploads, unshareUploads } from "./uploads.ts";

/** Who asks for it, and where. */
export interface Asking {
  readonly store: Store;
  readonly clock: Pick<Clock, "now">;
  readonly by: string;
}

/**
 * Makes a new job of one that has ended, which asks for the same.
 *
 * @returns its id.
 * @throws ReeveError (usage) for a job that has not ended.
 */
export async function retryJob({ store, clock, by }: Asking, seq: number): Promise<string> {
  const id = newId();
  const given = store.jobs.bySeq(seq) ? store.jobs.inputs(seq).parameters : [];
  const parameters = shareUploads(store.location, given, id);
  const write = (): void => {
    const old = store.jobs.bySeq(seq);
    if (!old || !isFinal(old.phase)) throw notEnded(old);
    if (old.queue !== null) throw ofAnotherQueue(old, old.queue);
    const job = { ...replacementOf(old, store.jobs.inputs(seq)), id, parameters };
    store.submission.submit([job], clock.now());
    store.steering.retried(old, job.id, clock.now(), by);
    store.wakeWorkers();
  };
  try {
    await store.write(write);
    return id;
  } catch (error) {
    unshareUploads(store.location, given, id);
    throw error;
  }
}

function notEnded(job: Job | undefined): ReeveError {
  if (!job) return new ReeveError(EXIT.nothingThere, "the job has been deleted meanwhile");
  return new ReeveError(
    EXIT.usage,
    `job ${job.id} is ${job.phase}; only a job that has ended can be run again`,
    `\`reeve why ${job.id}\` tells what it waits for`,
  );
}

/** A copy in the store's own queue would run beside the message, wherever that is delivered. */
function ofAnotherQueue(job: Job, queue: string): ReeveError {
  const what = `job ${job.id} came from ${queue}, and only a message there can run it again`;
  const command = commandForLetter(job, queue);
  const hint = command === null ? `it is ${job.phase}, and has no dead letter` : `\`${command}\``;
  return new ReeveError(EXIT.usage, what, hint);
}

/**
 * What sends a job's dead letter back, or shows it: the letter has the job's id only where its sender gave it one. Null:
 * there is no letter.
 */
export function commandForLetter({ id, messageId, verdict }: Job, queue: string): string | null {
  if (verdict !== "bury") return null;
  return id === messageId ? `reeve dead list --queue ${queue}` : `reeve dead retry --queue ${queue} ${id}`;
}

function replacementOf(old: Job, inputs: Inputs): Omit<NewJob, "id"> {
  return {
    ...inputs,
    context: queued(inputs.context),
    definition: old.definition,
    runId: old.runId,
    owner: old.owner,
    priority: old.priority,
    executionDuration: old.executionDuration,
    availableAt: null,
    expiresAt: null,
    destruction: null,
    hold: false,
    after: [],
    dedupeKey: null,
    retryOf: old.id,
  };
}

/** Of a job that was run in the foreground the new one is the queue's. */
function queued(context: Context): Context {
  if (context.kind === "definition" || !context.foreground) return context;
  const { foreground: _, limits, ...others } = context;
  const { onLost, onSignal } = DEFAULT_LIMITS;
  return { ...others, limits: { ...limits, onLost, onSignal } };
}
