import type { GivenParameter } from "../config/parameters.ts";
import type { Inputs, Parameter } from "../store/job.ts";
import { isHeldByWorker } from "../store/phases.ts";
import { removeJobs } from "../store/removing.ts";
import { definitionPart } from "../uws/definition-job.ts";
import { seeOther } from "./answers.ts";
import { readPosted, type Controls, type Posted } from "./controls.ts";
import { destructionWithin, durationWithin, placing } from "./creation.ts";
import { receiving, type Received } from "./form.ts";
import type { Exchange, ListedJob } from "./ports.ts";
import { forbidden, malformed } from "./refusal.ts";
import { assign, Incoming, removeUploads, type Assigned } from "./uploads.ts";

/** Which of the controls a resource takes, and whether it takes parameters. */
type Taken = readonly (keyof Controls | "parameters")[];

/** What is asked; its parameters have the paths of the files that came with it. */
interface Asked extends Posted {
  readonly incoming: Incoming;
}

const asking = (
  exchange: Exchange,
  target: ListedJob,
  taken: Taken,
  use: (asked: Asked) => Promise<Response>,
  naming: (name: string) => string = (name) => name,
): Promise<Response> =>
  receiving(exchange, async (received) => use(await readAsked(exchange, target, taken, renamed(received, naming))));

const renamed = (received: Received, naming: (name: string) => string): Received => ({
  ...received,
  fields: received.fields.map(([name, value]) => [naming(name), value]),
  files: received.files.map((file) => ({ ...file, part: naming(file.part) })),
});

async function readAsked(
  { store }: Exchange,
  { list: { definition }, job }: ListedJob,
  taken: Taken,
  received: Received,
): Promise<Asked> {
  const { fields, uploads }: Assigned = definition
    ? await assign(received, definition)
    : { fields: received.fields, uploads: [] };
  const incoming = new Incoming(store.location.uploadsOf(job.id), uploads);
  const values = readPosted(fields, definition?.parameters.keys() ?? []);
  const all = { ...values, parameters: [...values.parameters, ...incoming.parameters], incoming };
  const others = Object.keys(all.controls).some((name) => !taken.some((one) => one === name));
  const hasParameters = all.parameters.length + all.protocol.length > 0;
  if (others || (hasParameters && !taken.includes("parameters"))) {
    throw forbidden("This resource does not take all that was given.");
  }
  if (!hasParameters && Object.keys(all.controls).length === 0) throw malformed("Nothing was given to be changed.");
  return all;
}

/** POST to the job itself: a deletion, or any of its changes, all of them or none. */
export async function changeJob(exchange: Exchange, target: ListedJob): Promise<Response> {
  const taken: Taken = ["action", "phase", "executionDuration", "destruction", "parameters"];
  return asking(exchange, target, taken, (asked) =>
    asked.controls.action ? deleteJob(exchange, target) : change(exchange, target, asked),
  );
}

/** POST to one of its resources that takes one control. */
export const changing =
  (name: "phase" | "executionDuration" | "destruction") =>
  (exchange: Exchange, target: ListedJob): Promise<Response> =>
    asking(exchange, target, [name], (asked) => change(exchange, target, asked));

/** POST to its parameters. */
export const changeParameters = (exchange: Exchange, target: ListedJob): Promise<Response> =>
  asking(exchange, target, ["parameters"], (asked) => change(exchange, target, asked));

/** POST to one parameter, by its own name or as VALUE. */
export function changeParameter(exchange: Exchange, target: ListedJob, name: string): Promise<Response> {
  const isOther = (one: { readonly name: string }): boolean => one.name.toLowerCase() !== name.toLowerCase();
  const changeIt = (asked: Asked): Promise<Response> => {
    if ([...asked.parameters, ...asked.protocol].some(isOther)) throw forbidden("This resource is one parameter.");
    return change(exchange, target, asked);
  };
  return asking(exchange, target, ["parameters"], changeIt, (one) => (one.toLowerCase() === "value" ? name : one));
}

async function change(exchange: Exchange, target: ListedJob, asked: Asked): Promise<Response> {
  const { store, clock, caller } = exchange;
  const { seq } = target.job;
  const { controls } = asked;
  const duration = target.list.definition
    ? durationWithin(controls, target.list.definition, exchange.limits)
    : (controls.executionDuration ?? null);
  const destruction = destructionWithin(controls, exchange);
  let replaced: readonly Parameter[] = [];
  const write = (): void => {
    const [at, by] = [clock.now(), caller.by];
    if (asked.parameters.length + asked.protocol.length > 0) {
      const revise = (inputs: Inputs): Parameter[] => {
        replaced = replacedBy(asked, inputs);
        return revised(target, inputs, asked);
      };
      store.revision.parameters(seq, revise, at, by);
    }
    if (duration !== null) store.revision.executionDuration(seq, duration, at, by);
    if (destruction !== null) store.revision.destruction(seq, destruction, at, by);
    if (controls.phase === "RUN") store.steering.start(seq, at, by);
    if (controls.phase === "ABORT") store.steering.abort(seq, at, by);
    if (controls.phase) store.wakeWorkers();
  };
  const { definition } = target.list;
  await (definition ? placing(asked.incoming, definition, () => store.write(write)) : store.write(write));
  removeUploads(store.location.uploadsOf(target.job.id), replaced);
  return seeOther(target.url);
}

const namesIn = ({ parameters, protocol }: Posted): Set<string> =>
  new Set([...parameters, ...protocol].map(({ name }) => name.toLowerCase()));

function replacedBy(asked: Posted, inputs: Inputs): Parameter[] {
  const given = namesIn(asked);
  return inputs.parameters.filter(({ name }) => given.has(name.toLowerCase()));
}

/** The job's parameters with those that are given in the place of theirs; the definition looks at all of them. */
function revised({ list }: ListedJob, inputs: Inputs, asked: Asked): Parameter[] {
  const { parameters, protocol, incoming } = asked;
  const given = namesIn(asked);
  const there = new Set(inputs.parameters.map(({ name }) => name.toLowerCase()));
  if (list.definition === null || !given.isSubsetOf(there)) {
    throw forbidden("A job has the parameters that it was made with; others cannot be added.");
  }
  const others = inputs.parameters.filter(({ name }) => !given.has(name.toLowerCase()));
  const part = definitionPart(list.definition, {
    parameters: [...others.flatMap(asGiven), ...parameters],
    body: inputs.body,
    executionDuration: null,
    manner: "over a wire",
  });
  const typed = incoming.withTypes(part.parameters, inputs.parameters);
  return [...typed, ...others.filter((one) => one.protocol), ...protocol];
}

const asGiven = ({ name, values, file, protocol }: Parameter): GivenParameter[] =>
  protocol ? [] : values.map((value) => (file ? { name, value: "", file: value } : { name, value }));

/** Forgets the job. What runs is aborted first, and its end waited for a little; else its worker forgets it. */
export async function deleteJob(exchange: Exchange, { list, job }: ListedJob): Promise<Response> {
  const { store, caller, clock, waiters, limits, request, onFault } = exchange;
  const remove = async (): Promise<boolean> => {
    const { ids, failures } = await removeJobs(store, [job], { by: caller.by, at: clock.now() });
    for (const { error } of failures) onFault(error);
    return ids.length > 0;
  };
  if (!(await remove())) {
    const now = store.jobs.bySeq(job.seq);
    if (now && isHeldByWorker(now.phase) && !waiters.isFull) {
      await waiters.wait(now, limits.deletionMs, request.signal);
      await remove();
    }
  }
  // Clients follow this, and the whole list may be huge.
  return seeOther(`${list.url}?LAST=10`);
}
