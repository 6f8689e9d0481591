import { stoodStill, type Attempt } from "../store/attempt.ts";
import type { Job } from "../store/job.ts";
import type { Phase } from "../store/phases.ts";
import type { Tallies } from "../store/tallies.ts";
import type { Workers } from "../store/workers.ts";

/** What a store knows that tells. */
export interface Known {
  readonly tallies: Pick<Tallies, "pace" | "ahead" | "inPhase" | "queuedPace">;
  readonly workers: Pick<Workers, "slots">;
  readonly attempts: {
    one(job: number, number: number): Pick<Attempt, "startedAt" | "suspendedMs" | "suspendedAt"> | undefined;
  };
}

/** Without anybody's doing; of one that is PENDING it is told what would be. */
const LEADS_TO_AN_END: ReadonlySet<Phase> = new Set(["PENDING", "QUEUED", "EXECUTING"]);

/**
 * When the job is likely to be complete, in milliseconds since 1970, to the second: by how long the last ones of its
 * definition took, and by what is queued before it. Of one that is PENDING: if it were started now. Null: nothing is
 * known that would tell.
 */
export function quoteOf(store: Known, job: Job, now: number): number | null {
  if (!job.definition || !LEADS_TO_AN_END.has(job.phase)) return null;
  const pace = store.tallies.pace(job.definition);
  if (pace === null) return null;
  return job.phase === "EXECUTING" ? whileRunning(store, job, pace, now) : afterWaiting(store, job, pace, now);
}

/** Nobody takes it where there is no worker; what waits for other jobs, or for a delivery, nobody can say. */
function afterWaiting({ tallies, workers }: Known, job: Job, pace: number, now: number): number | null {
  const slots = workers.slots();
  if (slots === 0 || job.waiting > 0 || job.queue !== null) return null;
  const ahead = tallies.ahead(job);
  const running = tallies.inPhase("EXECUTING");
  // What runs has come half of its way, taken all in all.
  const waitMs = ahead + running < slots ? 0 : ((ahead + running / 2) * tallies.queuedPace(pace)) / slots;
  return wholeSecond(Math.max(now + waitMs, job.availableAt ?? 0) + pace);
}

/** One that has run longer than others did shows that they tell nothing of it. */
function whileRunning({ attempts }: Known, job: Job, pace: number, now: number): number | null {
  const attempt = attempts.one(job.seq, job.attempts);
  if (!attempt) return null;
  const end = attempt.startedAt + stoodStill(attempt, now) + pace;
  return end > now ? wholeSecond(end) : null;
}

const wholeSecond = (at: number): number => Math.ceil(at / 1000) * 1000;
