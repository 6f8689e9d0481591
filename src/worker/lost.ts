import type { Remains } from "../process/port.ts";
import { foregroundOf, type AttemptEnd, type CleanUp, type Job, type Settlement } from "../store/job.ts";
import { AGAIN, cleanUpFirst, forItsProcess, judge, judgeStuck, pendingOf } from "./ending.ts";
import type { CleanedUp } from "./exit-handlers.ts";
import { owedReason } from "./owed.ts";
import type { Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";

export type Gone = Extract<Remains, { kind: "gone" }>;

export const NOTHING_LEFT: Gone = {
  kind: "gone",
  pid: null,
  takings: { outputs: [], results: [], progress: null, error: null, warnings: [] },
};

/** What is known of a job that went with its worker. */
export interface Loss {
  readonly remains: Gone;
  /** What could not be ended, in words. */
  readonly left: string | null;
  readonly cleaned: CleanedUp | null;
}

interface Recorder {
  readonly ports: Ports;
  readonly worker: string;
  readonly planner: Planner;
}

/** Records the end of a job that nobody saw. */
export async function recordLost(dead: Job, loss: Loss, { ports, worker, planner }: Recorder): Promise<void> {
  const { store, clock, emit } = ports;
  const recorded = await store.write(() => {
    store.wakeWorkers();
    // An abort may have come while its tree was being ended.
    const job = { ...dead, abortBy: store.jobs.bySeq(dead.seq)?.abortBy ?? null };
    const end = lostEnd(job, loss, clock.now());
    const judgedEnd = judgeLost(job, loss.cleaned?.cleanUp ?? null, planner, ports);
    const judged = loss.left === null ? judgedEnd : judgeStuck(judgedEnd, loss.left);
    const owes = loss.cleaned?.cleanUp.outcome === "owed";
    if (owes) store.cleanUps.owe(job.seq, job.attempts, pendingOf(judged));
    const settlement = store.attempts.end(job, end, owes ? cleanUpFirst(judged) : judged, worker);
    return settlement && { end, settlement };
  });
  if (recorded) emit({ type: "job ended", job: dead.id, attempt: dead.attempts, ...recorded, ranMs: 0 });
}

function judgeLost(job: Job, cleanUp: CleanUp | null, planner: Planner, { store, random }: Ports): Settlement {
  if (job.owed !== null) return AGAIN;
  const inputs = store.jobs.inputs(job.seq);
  const settlement = judge({
    ending: { kind: "lost" },
    cause: job.abortBy === null ? null : "abort",
    abortBy: job.abortBy,
    job,
    limits: planner.limits(job, inputs),
    said: null,
    cleanUp,
    programMayTurnUp: false,
    random,
  });
  return foregroundOf(inputs) ? forItsProcess(settlement) : settlement;
}

function lostEnd(job: Job, { remains: { pid, takings }, cleaned }: Loss, at: number): AttemptEnd {
  return {
    ending: job.owed === null ? { kind: "lost" } : { kind: "not started", reason: owedReason(job) },
    cause: job.abortBy === null ? null : "abort",
    endedAt: at,
    // Nobody saw for how long, and the time without a worker is not the job's.
    ranMs: 0,
    pid,
    userMicroseconds: null,
    systemMicroseconds: null,
    peakBytes: null,
    outputs: [...takings.outputs, ...(cleaned?.outputs ?? [])],
    results: takings.results,
    progress: takings.progress,
    ...(cleaned && { cleanUp: cleaned.cleanUp }),
  };
}
