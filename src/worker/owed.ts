import { unreachable } from "../errors.ts";
import { abortedBy } from "../store/endings.ts";
import type { CleanUpRow, ExitHandler } from "../store/clean-ups.ts";
import type { Job, Settlement } from "../store/job.ts";
import type { ActiveJob } from "./active-job.ts";
import { AGAIN, cleanUpFirst, judgeDirty } from "./ending.ts";
import type { CleanedUp } from "./exit-handlers.ts";
import { handlerDirectory, laterEnvironment } from "./launch.ts";
import type { RunContext } from "./run.ts";

/** Why a job is not run although it was claimed, and what becomes of it. */
export interface InsteadOfRunning {
  readonly reason: string;
  readonly settlement: Settlement;
  /** To be called in the transaction that records the end. */
  record(): void;
}

/**
 * Cleans up after an earlier attempt, where a stop of the worker left that undone. Null: nothing is owed any more, and
 * the job may be run.
 */
export async function payOwed(active: ActiveJob, context: RunContext): Promise<InsteadOfRunning | null> {
  const { job } = active.started;
  const { store } = context.ports;
  if (job.owed === null) return null;
  const row = store.cleanUps.of(job.seq, job.owed);
  const cleaned = row?.handler ? await cleanUp(active, job.owed, row, row.handler, context) : null;
  const instead = cleaned && row ? consequence(job, row, cleaned, context) : null;
  const record = (): void => {
    if (cleaned) recordCleanUp(job, job.owed ?? 0, cleaned, context);
    if (cleaned?.cleanUp.outcome !== "owed") store.cleanUps.paid(job.seq);
  };
  if (instead) return { ...instead, record };
  await store.write(record);
  return null;
}

function cleanUp(
  active: ActiveJob,
  attempt: number,
  row: CleanUpRow,
  { argv, cwd }: ExitHandler,
  { ports, exitHandlers }: RunContext,
): Promise<CleanedUp> {
  const { job, inputs, planned, slot } = active.started;
  const environment = laterEnvironment(job, attempt, row, inputs, planned, ports);
  return exitHandlers.run({
    job,
    attempt,
    argv,
    cwd,
    environment: { ...environment, REEVE_CAUSE: row.cause ?? (row.ending === "lost" ? "lost" : "signal") },
    body: inputs.body,
    limits: planned.limits,
    tries: row.tries,
    tookMs: row.tookMs,
    directory: handlerDirectory(slot.directory),
    isOurs: () => active.lease?.isGivenUp !== true,
    lost: active.lease?.givenUp ?? null,
  });
}

function recordCleanUp(
  job: Job,
  attempt: number,
  { cleanUp, outputs }: CleanedUp,
  { ports: { store, clock }, worker }: RunContext,
): void {
  store.cleanUps.ended(job.seq, attempt, cleanUp, clock.now(), worker);
  store.outputs.add(job.seq, attempt, outputs);
}

/** Why a job that was claimed has not been started. */
export const owedReason = ({ owed }: Job): string => `it was to be cleaned up after attempt ${owed} first`;

function consequence(
  job: Job,
  { pending }: CleanUpRow,
  { cleanUp }: CleanedUp,
  { ports }: RunContext,
): Omit<InsteadOfRunning, "record"> | null {
  const reason = owedReason(job);
  switch (cleanUp.outcome) {
    case "done": {
      // An abort may have come while it waited.
      const abortBy = ports.store.jobs.bySeq(job.seq)?.abortBy ?? null;
      const settlement = pending ?? (abortBy === null ? null : abortedBy(abortBy));
      return settlement && { reason, settlement };
    }
    case "failed":
      return { reason, settlement: judgeDirty(pending ?? AGAIN) };
    case "owed":
      return { reason, settlement: cleanUpFirst(AGAIN) };
    default:
      return unreachable(cleanUp.outcome);
  }
}
