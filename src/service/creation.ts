import { forbidden } from "./refusal.ts";
import { seeOther } from "./answers.ts";
import { readPosted, type Controls } from "./controls.ts";
import { receiving, type Received } from "./form.ts";
import type { Exchange, List } from "./ports.ts";
import { definitionPart } from "../uws/definition-job.ts";
import type { Definition } from "../config/definition.ts";
import { addressOf } from "../uws/job-xml.ts";
import { malformed, tooMany } from "./refusal.ts";
import { assign, Incoming } from "./uploads.ts";

/** Jobs end when they end. */
const MANY_SECONDS = 30;

/** POST to a list: makes a job, PENDING, or QUEUED where RUN is asked for at once. */
export async function createJob(exchange: Exchange, { definition, url }: List): Promise<Response> {
  if (definition === null) {
    throw forbidden("No command comes over a wire: jobs are made in the list of a definition, or by `reeve submit`.");
  }
  return receiving(exchange, (received) => createOf(exchange, { definition, url }, received));
}

async function createOf(
  exchange: Exchange,
  { definition, url }: Pick<List, "url"> & { readonly definition: Definition },
  received: Received,
): Promise<Response> {
  const { store, clock, newId, caller, limits } = exchange;
  const { fields, uploads } = await assign(received, definition);
  const { controls, parameters: values, protocol } = readPosted(fields, definition.parameters.keys());
  const id = newId();
  const incoming = new Incoming(store.location.uploadsOf(id), uploads);
  const parameters = [...values, ...incoming.parameters];
  if (controls.phase === "ABORT" || controls.action) throw malformed("A job that is to be made can only be RUN.");
  const executionDuration = durationWithin(controls, definition, limits) ?? longestRun(definition, limits);
  const part = definitionPart(definition, { parameters, body: null, executionDuration, manner: "over a wire" });
  const job = {
    ...part,
    id,
    parameters: [...incoming.withTypes(part.parameters), ...protocol],
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
  await placing(incoming, definition, () =>
    store.write(() => {
      refuseMany(exchange);
      store.submission.submit([job], clock.now());
      if (!job.hold) store.wakeWorkers();
    }),
  );
  return seeOther(addressOf(url, id));
}

/** Has files in their place before the write that tells of them; without it they are gone again. */
export async function placing(incoming: Incoming, definition: Definition, write: () => Promise<void>): Promise<void> {
  incoming.place(definition);
  try {
    await write();
  } catch (error) {
    incoming.remove();
    throw error;
  }
}

/** Within the transaction that makes the job: of those that come at once no more pass than there is room for. */
function refuseMany({ store, caller: { owner }, limits }: Exchange): void {
  if (owner === null || store.jobs.countOpen(owner, limits.jobsPerOwner) < limits.jobsPerOwner) return;
  throw tooMany("You have too many jobs that have not ended.", MANY_SECONDS);
}

/** Seconds: no more than the definition allows, or the service where that does not say. Null: nothing was asked. */
export function durationWithin(
  { executionDuration }: Controls,
  definition: Definition,
  limits: Exchange["limits"],
): number | null {
  if (executionDuration === undefined) return null;
  const most = longestRun(definition, limits);
  if (most === 0) return executionDuration;
  return executionDuration === 0 ? most : Math.min(executionDuration, most);
}

const longestRun = ({ limits }: Definition, { executionSeconds }: Exchange["limits"]): number =>
  limits.executionDuration || executionSeconds;

/** Milliseconds since 1970, within what the service allows: a job is not gone before its client has seen it. */
export function destructionWithin(
  { destruction }: Controls,
  { clock, limits }: Pick<Exchange, "clock" | "limits">,
): number | null {
  if (destruction === undefined) return null;
  const now = clock.now();
  return Math.min(Math.max(destruction, now + limits.soonestDestructionMs), now + limits.latestDestructionMs);
}
