import type { GivenParameter } from "../config/parameters.ts";
import type { Inputs, Parameter } from "../store/job.ts";
import { isHeldByWorker } from "../store/phases.ts";
import { removeJobs } from "../store/removing.ts";
import { definitionPart } from "../uws/definition-job.ts";
import { seeOther } from "./answers.ts";
import { readPosted, type Controls, type Posted } from "./controls.ts";
import { destructionWithin, durationWithin } from "./creation.ts";
import { readFields } from "./form.ts";
import type { Exchange, ListedJob } from "./ports.ts";
import { forbidden, malformed } from "./refusal.ts";

/** Which of the controls a resource takes, and whether it takes parameters. */
type Taken = readonly (keyof Controls | "parameters")[];

async function posted(exchange: Exchange, { list }: ListedJob, taken: Taken): Promise<Posted> {
  const { request, query, limits } = exchange;
  const all = readPosted(await readFields(request, query, limits), list.definition?.parameters.keys() ?? []);
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
  const asked = await posted(exchange, target, taken);
  return asked.controls.action ? deleteJob(exchange, target) : change(exchange, target, asked);
}

/** POST to one of its resources that takes one control. */
export const changing =
  (name: "phase" | "executionDuration" | "destruction") =>
  async (exchange: Exchange, target: ListedJob): Promise<Response> =>
    change(exchange, target, await posted(exchange, target, [name]));

/** POST to its parameters. */
export const changeParameters = async (exchange: Exchange, target: ListedJob): Promise<Response> =>
  change(exchange, target, await posted(exchange, target, ["parameters"]));

/** POST to one parameter, by its own name or as VALUE. */
export async function changeParameter(exchange: Exchange, target: ListedJob, name: string): Promise<Response> {
  const asked = await posted(exchange, target, ["parameters"]);
  const parameters = asked.parameters.map((one) => (one.name.toLowerCase() === "value" ? { ...one, name } : one));
  const isOther = (one: { readonly name: string }): boolean => one.name.toLowerCase() !== name.toLowerCase();
  if ([...parameters, ...asked.protocol].some(isOther)) throw forbidden("This resource is one parameter.");
  return change(exchange, target, { ...asked, parameters });
}

async function change(exchange: Exchange, target: ListedJob, asked: Posted): Promise<Response> {
  const { store, clock, caller } = exchange;
  const { seq } = target.job;
  const { controls } = asked;
  const duration = target.list.definition
    ? durationWithin(controls, target.list.definition)
    : (controls.executionDuration ?? null);
  const destruction = destructionWithin(controls, exchange);
  await store.write(() => {
    const [at, by] = [clock.now(), caller.by];
    if (asked.parameters.length + asked.protocol.length > 0) {
      store.revision.parameters(seq, (inputs) => revised(target, inputs, asked), at, by);
    }
    if (duration !== null) store.revision.executionDuration(seq, duration, at, by);
    if (destruction !== null) store.revision.destruction(seq, destruction, at, by);
    if (controls.phase === "RUN") store.steering.start(seq, at, by);
    if (controls.phase === "ABORT") store.steering.abort(seq, at, by);
    if (controls.phase) store.wakeWorkers();
  });
  return seeOther(target.url);
}

/** The job's parameters with those that are given in the place of theirs; the definition looks at all of them. */
function revised({ list }: ListedJob, inputs: Inputs, { parameters, protocol }: Posted): Parameter[] {
  const given = new Set([...parameters, ...protocol].map(({ name }) => name.toLowerCase()));
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
  return [...part.parameters, ...others.filter((one) => one.protocol), ...protocol];
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
