import type { Remains } from "../process/port.ts";
import { OWN } from "../queue/port.ts";
import { stoodStill, type Attempt } from "../store/attempt.ts";
import type { ExitHandler } from "../store/clean-ups.ts";
import type { Job } from "../store/job.ts";
import type { Started } from "./active-job.ts";
import type { Planned, Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";

export type Outlived = Extract<Remains, { kind: "outlived" }>;

export interface AdoptionContext {
  readonly ports: Ports;
  readonly worker: string;
  readonly planner: Planner;
}

/** Makes a job that outlived its worker this one's. Null: it is no longer what it was. */
export async function adopt(dead: Job, { tree, slot }: Outlived, context: AdoptionContext): Promise<Started | null> {
  const { ports, worker, planner } = context;
  const { store, clock, emit } = ports;
  const attempt = store.attempts.one(dead.seq, dead.attempts);
  const job =
    attempt && (await store.write(() => store.attempts.adopt(dead, phaseOf(dead, attempt), worker, clock.now())));
  if (!job) return null;
  emit({ type: "job adopted", job: job.id, attempt: job.attempts, pid: tree.pid, from: dead.worker ?? "" });
  const inputs = store.jobs.inputs(job.seq);
  const handler = store.cleanUps.of(job.seq, job.attempts)?.handler ?? null;
  const { messageId: id, receiveCount, startedAt } = attempt;
  const now = clock.now();
  return {
    queue: null,
    message: { id, receipt: job.receipt ?? id, receiveCount, job, ...OWN },
    job,
    inputs,
    planned: asStarted(planner.plan(job, inputs), handler),
    slot,
    startedAt,
    outlives: true,
    adopted: {
      tree,
      ranMs: Math.max(0, now - startedAt - stoodStill(attempt, now)),
      allowedMs: attempt.allowedMs,
      heard: attempt.heard,
    },
  };
}

/** What was not known may have stood still. */
function phaseOf({ phase }: Job, { suspendedAt }: Attempt): "EXECUTING" | "SUSPENDED" {
  if (phase === "UNKNOWN") return suspendedAt === null ? "EXECUTING" : "SUSPENDED";
  return phase === "SUSPENDED" ? "SUSPENDED" : "EXECUTING";
}

/** It runs already, whatever this worker knows of its definition; what cleans up after it was recorded. */
function asStarted(planned: Planned, handler: ExitHandler | null): Planned {
  const plan = planned.kind === "plan" ? planned.plan : { argv: [], cwd: "/", environment: {} };
  return {
    kind: "plan",
    limits: planned.limits,
    plan: { ...plan, cwd: handler?.cwd ?? plan.cwd, exitHandler: handler?.argv ?? null },
  };
}
