import { existsSync } from "node:fs";
import { join } from "node:path";
import { factsEnvironment, type Delivery } from "../process/environment.ts";
import type { Launch } from "../process/port.ts";
import type { CleanUpRow } from "../store/clean-ups.ts";
import { foregroundOf, type Inputs, type Job } from "../store/job.ts";
import type { Started } from "./active-job.ts";
import type { Plan, Planned } from "./plan.ts";
import type { Ports } from "./ports.ts";

/** Everything that an attempt's main process is started with. */
export function launchOf({ job, inputs, message, planned, startedAt }: Started, plan: Plan, ports: Ports): Launch {
  const facts = factsEnvironment({
    job: job.id,
    attempt: job.attempts,
    delivery: delivery(job, inputs, message.id, message.receiveCount),
    deadline: deadline(startedAt, timeLimits({ job, planned })),
    parameters: inputs.parameters,
    attributes: inputs.attributes,
  });
  return {
    job: job.id,
    attempt: job.attempts,
    role: "job",
    argv: plan.argv,
    cwd: plan.cwd,
    environment: { ...plan.environment, ...facts },
    body: inputs.body,
    limits: planned.limits,
    jobDirectory: ports.store.location.job(job.id),
  };
}

function delivery({ queue }: Job, inputs: Inputs, messageId: string, receiveCount: number): Delivery | null {
  return foregroundOf(inputs) ? null : { queue: queue ?? "sqlite", messageId, receiveCount };
}

/** Milliseconds that an attempt may run: by itself, and as what its executionDuration leaves to it. */
export interface TimeLimits {
  readonly timeoutMs: number;
  readonly overrunMs: number;
}

export function timeLimits({ job, planned }: Pick<Started, "job" | "planned">): TimeLimits {
  const allAttempts = job.executionDuration > 0 ? job.executionDuration * 1000 : Number.POSITIVE_INFINITY;
  return {
    timeoutMs: planned.limits.timeoutMs ?? Number.POSITIVE_INFINITY,
    overrunMs: Math.max(0, allAttempts - job.runningMs),
  };
}

function deadline(startedAt: number, { timeoutMs, overrunMs }: TimeLimits): number | null {
  const milliseconds = Math.min(timeoutMs, overrunMs);
  return Number.isFinite(milliseconds) ? Math.floor((startedAt + milliseconds) / 1000) : null;
}

/** Where the files of an exit handler are, beside those of the attempt that it cleans up after. */
export const handlerDirectory = (slotDirectory: string): string => join(slotDirectory, "exit-handler");

/** The environment of an exit handler that comes later than its attempt: as far as what is recorded tells of it. */
export function laterEnvironment(
  job: Job,
  attempt: number,
  row: CleanUpRow,
  inputs: Inputs,
  planned: Planned,
  ports: Ports,
): Record<string, string> {
  const facts = factsEnvironment({
    job: job.id,
    attempt,
    delivery: delivery(job, inputs, row.messageId, row.receiveCount),
    deadline: null,
    parameters: inputs.parameters,
    attributes: inputs.attributes,
  });
  const work = join(ports.store.location.job(job.id), "work");
  return {
    ...(planned.kind === "plan" && planned.plan.environment),
    ...facts,
    ...(existsSync(work) && { REEVE_WORKDIR: work }),
  };
}
