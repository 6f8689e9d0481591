import { foregroundOf, type AttemptEnd, type Settlement } from "../store/job.ts";
import { messageOf } from "../errors.ts";
import type { Takings } from "../process/port.ts";
import type { ActiveJob, Started } from "./active-job.ts";
import { elsewhere } from "./elsewhere.ts";
import { cleanUpFirst, forItsProcess, judge, judgeStuck, pendingOf } from "./ending.ts";
import type { ExitHandlers } from "./exit-handlers.ts";
import { payOwed } from "./owed.ts";
import type { Ports } from "./ports.ts";
import { reviewed } from "./review.ts";
import { notStarted, perform, type Outcome } from "./supervise.ts";
import type { Leases } from "./leases.ts";
import { tellQueue } from "./telling.ts";

/** What a run asks of the worker that it belongs to. */
export interface RunContext {
  readonly ports: Ports;
  readonly worker: string;
  readonly exitHandlers: ExitHandlers;
  readonly leases: Leases;
  /** A worker that stays can wait for a program to be installed. */
  readonly stays: boolean;
  /** Kept when it may run: some must have nothing beside them. */
  alone(active: ActiveJob): Promise<void>;
  /** True when the worker stops, now or within so many milliseconds. */
  stopsWithin(milliseconds: number): Promise<boolean>;
  /** Called in the moment in which the end is being written, so that the next claim shares its commit. */
  ending(active: ActiveJob, outcome: Outcome): void;
  /** Its queue, too, has been told what there was to tell. */
  told(): void;
  /** The end is on disk. */
  ended(active: ActiveJob, end: AttemptEnd, settlement: Settlement): void;
}

/**
 * An end shares its commit with the claims that follow. On a queue elsewhere these come with the answer to a poll: so
 * long it waits for that, or for the ends of others. Its slot is free meanwhile.
 */
const END_WITHIN_MS = 10;

/** One message's life, from its recorded start to its told verdict. One direction: record first, tell the queue last. */
export async function run(active: ActiveJob, context: RunContext): Promise<void> {
  const { store, clock } = context.ports;
  const { job } = active.started;

  await context.alone(active);
  const owed = await payOwed(active, context);
  const outcome = owed
    ? notStarted({ kind: "not started", reason: owed.reason }, clock.now())
    : await perform(active, context);
  const judged = owed?.settlement ?? settle(active, outcome, context);
  const mustCleanUp = outcome.cleanUp?.outcome === "owed";
  const end = attemptEnd(active, outcome);

  const warnings = warningsOf(outcome);
  const recorded = store.write(
    () => {
      // Whether its last delivery was the last is for the newest to say: when this is on disk, none comes any more.
      if (active.lease) context.leases.takeNewerNow(context.worker);
      const final = onItsQueue(active, mustCleanUp ? cleanUpFirst(judged) : judged);
      // Another worker may take at once what this one puts back.
      if (final.phase === "QUEUED") store.wakeWorkers();
      for (const warning of warnings) store.decisions.add(job.seq, end.endedAt, "warning", context.worker, warning);
      owed?.record();
      if (mustCleanUp && final.phase === "QUEUED") store.cleanUps.owe(job.seq, job.attempts, pendingOf(judged));
      return store.attempts.end(job, end, final, context.worker);
    },
    active.lease ? END_WITHIN_MS : 0,
  );
  context.ending(active, outcome);
  const settlement = await recorded.catch((error: unknown) => {
    notRecorded(active, end, messageOf(error), context.ports);
    throw error;
  });
  if (settlement === null) return notRecorded(active, end, "it was deleted, or given to another worker", context.ports);
  repeat(active.started, warnings, outcome.takings, context.ports);
  context.ended(active, end, settlement);

  if (active.lease) await tellQueue(active.lease, active.started, settlement.verdict, context);
}

function notRecorded({ started: { job } }: ActiveJob, end: AttemptEnd, why: string, { emit }: Ports): void {
  emit({ type: "end not recorded", job: job.id, attempt: job.attempts, end, why });
}

/** What was wrong with what the job said; beside exit 0 an error of its own is no more than that. */
function warningsOf({ ending, takings: { warnings, error } }: Outcome): readonly string[] {
  const succeeded = ending.kind === "exited" && ending.code === 0;
  return succeeded && error ? [...warnings, `it exited with 0 and said: ${error.message}`] : warnings;
}

/** Tells the log what the job had to say. */
function repeat({ job }: Started, warnings: readonly string[], { said = [] }: Takings, { emit }: Ports): void {
  const name = { job: job.id, attempt: job.attempts };
  for (const warning of warnings) emit({ type: "job warning", ...name, warning });
  for (const { level, message } of said) emit({ type: "job said", ...name, level, said: message });
}

function settle(active: ActiveJob, { ending, takings, left, cleanUp }: Outcome, context: RunContext): Settlement {
  const { job, inputs, planned } = active.started;
  const settlement = judge({
    ending,
    cause: active.cause,
    abortBy: active.by,
    job,
    limits: planned.limits,
    said: takings.error,
    ...(takings.releaseMs !== undefined && { releaseMs: takings.releaseMs }),
    cleanUp,
    programMayTurnUp: context.stays && inputs.context.kind === "definition",
    random: context.ports.random,
  });
  const final =
    left === null ? reviewed(settlement, active, { ending, cleanUp }, context.ports) : judgeStuck(settlement, left);
  return foregroundOf(inputs) ? forItsProcess(final) : final;
}

function onItsQueue({ started: { queue, planned }, lease }: ActiveJob, settlement: Settlement): Settlement {
  return queue && lease ? elsewhere(settlement, lease.message, queue, planned.limits.backoffCapMs) : settlement;
}

function attemptEnd(active: ActiveJob, outcome: Outcome): AttemptEnd {
  const { ending, endedAt, ranMs, pid, usage, takings, cleanUp } = outcome;
  return {
    ending,
    cause: active.cause,
    endedAt,
    ranMs,
    pid,
    userMicroseconds: usage?.userMicroseconds ?? null,
    systemMicroseconds: usage?.systemMicroseconds ?? null,
    peakBytes: usage?.peakBytes ?? null,
    outputs: takings.outputs,
    results: takings.results,
    progress: takings.progress,
    ...(cleanUp && { cleanUp }),
  };
}
