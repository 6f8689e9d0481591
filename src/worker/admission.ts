import type { Slot } from "../process/port.ts";
import { isRemote, type Message, type Queue } from "../queue/port.ts";
import { foregroundOf, type Inputs, type Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import type { Started } from "./active-job.ts";
import type { Plan, Planned, Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";

export interface AdmissionContext {
  readonly ports: Ports;
  readonly worker: string;
  readonly planner: Planner;
}

/** Where a job may be run. */
export interface Places {
  readonly free: Slot;
  /** Where a process waits for a job of a definition; null: nowhere. */
  warm(definition: string | null): Slot | null;
}

/** Records the start of what a queue gave: within the transaction that makes it ours, and perhaps more than once. */
export function admit(queue: Queue, message: Message, places: Places, context: AdmissionContext): Started {
  const { ports, worker, planner } = context;
  const { job, id: messageId, receiveCount } = message;
  const inputs = ports.store.jobs.inputs(job.seq);
  const planned = planOf(message, inputs, planner);
  // Without a worker nobody keeps a lease elsewhere.
  const outlives = planned.limits.outlive && foregroundOf(inputs) === null && queue.terms === null;
  const own = ports.store.location.outlivingAttempt(job.id, job.attempts);
  const warm = canBeWarm(planned, inputs) ? places.warm(job.definition) : null;
  const slot = outlives ? ports.processes.outlivingSlot(own) : (warm ?? places.free);
  const at = ports.clock.now();
  ports.store.attempts.begin({ job, worker, directory: slot.directory, messageId, receiveCount, at });
  if (planned.kind === "plan") recordPlan(job, inputs, planned.plan, ports.store);
  return {
    queue: isRemote(queue) ? queue : null,
    message,
    job,
    inputs,
    planned,
    slot,
    startedAt: at,
    outlives,
    adopted: null,
  };
}

/** A body that is a file is to be its standard input, too, and not to be read by us; a command has limits of its own. */
const canBeWarm = (planned: Planned, { body, context }: Inputs): boolean =>
  planned.kind === "plan" && context.kind === "definition" && body?.kind !== "file";

function planOf({ job, rejected }: Message, inputs: Inputs, planner: Planner): Planned {
  if (rejected === null) return planner.plan(job, inputs);
  return { kind: "rejected", reason: rejected, limits: planner.limits(job, inputs) };
}

/** What was really run, where a template made it, and what cleans up after it. */
function recordPlan(job: Job, inputs: Inputs, { argv, cwd, exitHandler }: Plan, store: Store): void {
  if (inputs.command === null) store.attempts.resolved(job.seq, job.attempts, argv, cwd);
  if (exitHandler) store.cleanUps.planned(job.seq, job.attempts, { argv: exitHandler, cwd });
}
