import { forbidden } from "./refusal.ts";
import { seeOther } from "./answers.ts";
import { readPosted, type Controls } from "./controls.ts";
import { readFields } from "./form.ts";
import type { Exchange, List } from "./ports.ts";
import { definitionPart } from "../uws/definition-job.ts";
import type { Definition } from "../config/definition.ts";
import { addressOf } from "../uws/job-xml.ts";
import { malformed } from "./refusal.ts";

/** POST to a list: makes a job, PENDING, or QUEUED where RUN is asked for at once. */
export async function createJob(exchange: Exchange, { definition, url }: List): Promise<Response> {
  const { request, query, limits, store, clock, newId, caller } = exchange;
  if (definition === null) {
    throw forbidden("No command comes over a wire: jobs are made in the list of a definition, or by `reeve submit`.");
  }
  const { controls, parameters, protocol } = readPosted(
    await readFields(request, query, limits),
    definition.parameters.keys(),
  );
  if (controls.phase === "ABORT" || controls.action) throw malformed("A job that is to be made can only be RUN.");
  const executionDuration = durationWithin(controls, definition);
  const part = definitionPart(definition, { parameters, body: null, executionDuration, manner: "over a wire" });
  const id = newId();
  const job = {
    ...part,
    id,
    parameters: [...part.parameters, ...protocol],
    runId: controls.runId || null,
    owner: caller.owner,
    priority: 0,
    availableAt: null,
    expiresAt: null,
    destruction: destructionWithin(controls, exchange),
    hold: controls.phase !== "RUN",
    after: [],
    dedupeKey: null,
    retryOf: null,
    attributes: {},
  };
  await store.write(() => {
    store.submission.submit([job], clock.now());
    if (!job.hold) store.wakeWorkers();
  });
  return seeOther(addressOf(url, id));
}

/** Seconds: no more than the definition allows, where it says how many. Null: nothing was asked. */
export function durationWithin({ executionDuration }: Controls, { limits }: Definition): number | null {
  if (executionDuration === undefined) return null;
  const most = limits.executionDuration;
  if (most === 0) return executionDuration;
  return executionDuration === 0 ? most : Math.min(executionDuration, most);
}

/** Milliseconds since 1970, within what the service allows: a job is not gone before its client has seen it. */
export function destructionWithin(
  { destruction }: Controls,
  { clock, limits }: Pick<Exchange, "clock" | "limits">,
): number | null {
  if (destruction === undefined) return null;
  const now = clock.now();
  return Math.min(Math.max(destruction, now + limits.soonestDestructionMs), now + limits.latestDestructionMs);
}
