import { configurationError, usageError } from "../errors.ts";
import type { Definition, ParameterDefinition, Route } from "./definition.ts";
import { messageBody, type Body, type MessageBody } from "./message-body.ts";
import { messageParameters } from "./message-parameters.ts";
import type { RouteAnswer, RoutedJob } from "./message-route.ts";
import type { GivenParameter } from "./parameters.ts";
import { withoutCase, writtenPlace } from "./template.ts";
import { shown, suggestion } from "./wording.ts";

/** The message attribute that has the id of the job that was submitted. */
export const JOB_ATTRIBUTE = "reeve.job";

/** A message, as far as it says which job it is. Binary attributes are given as base64 text. */
export interface Incoming {
  readonly body: Body;
  readonly attributes: Readonly<Record<string, string>>;
}

export type Routed =
  /**
   * Definition null: the command line's own (`work -- COMMAND`). The parameters are what the message, the definition's
   * `from` and the command line's --param give, not yet checked against their types.
   */
  | {
      readonly kind: "job";
      readonly definition: string | null;
      readonly parameters: readonly GivenParameter[];
      /** What a module's `route` has said beside that. */
      readonly chosen?: Pick<RoutedJob, "onExit" | "label">;
    }
  /** It is this definition's, and can never be run as it is. */
  | { readonly kind: "rejected"; readonly definition: string | null; readonly reason: string }
  | { readonly kind: "unroutable"; readonly reason: string };

export interface RouterSettings {
  readonly definitions: ReadonlyMap<string, Definition>;
  /** `work -- COMMAND`: takes every message. */
  readonly commandLine: Definition | null;
  /** The queue's own `job` setting; null: messages are routed. */
  readonly job: string | null;
  /** `--param` of the command line. */
  readonly extra: readonly GivenParameter[];
  /** What modules are asked by, before anything else is looked at; absent: none is. */
  readonly asked?: readonly string[];
}

/** Whose a message is, and whether it names its job and parameters itself (`{"job": …, "params": …}`). */
type Choice =
  | { readonly kind: "chosen"; readonly definition: Definition; readonly byName: boolean }
  | { readonly kind: "unroutable"; readonly reason: string };

const unroutable = (reason: string) => ({ kind: "unroutable", reason }) as const;

/** Says which job a message is. Reasons name what was looked for, and hold no more of a message than a job's name. */
export class Router {
  readonly #settings: RouterSettings;
  readonly #definitions: readonly Definition[];

  /** @throws ReeveError for what clashes in every message: --param with nothing to take it, or with `from`. */
  constructor(settings: RouterSettings) {
    refuseClashes(settings);
    this.#settings = settings;
    this.#definitions = [...settings.definitions.values()];
  }

  /** Whether modules are to be asked about it: what was submitted by its job's name is that. */
  isAsked({ body, attributes }: Incoming): boolean {
    const { commandLine, asked = [] } = this.#settings;
    if (commandLine || asked.length === 0) return false;
    return !Object.hasOwn(attributes, JOB_ATTRIBUTE) || !messageBody(body).isText(["job"]);
  }

  /** Whether there is a job for what names none. */
  get hasDefault(): boolean {
    return this.#default !== undefined;
  }

  get #default(): Definition | undefined {
    const { job, definitions } = this.#settings;
    return job === null && definitions.size === 1 ? this.#definitions[0] : definitions.get(job ?? "");
  }

  /** `answer`: what the modules have said; null: they were not asked. */
  route(message: Incoming, answer: Extract<RouteAnswer, { kind: "job" | "not ours" }> | null = null): Routed {
    const { commandLine, extra } = this.#settings;
    if (commandLine) return { kind: "job", definition: null, parameters: extra };
    const body = messageBody(message.body);
    if (answer?.kind === "job") return this.#routed(answer, message.attributes, body);
    const choice = this.#choose(message.attributes, body);
    if (choice.kind === "unroutable") return choice;
    const { definition, byName } = choice;
    const given = messageParameters(definition, { body, attributes: message.attributes, byName }, extra);
    if ("reason" in given) return { kind: "rejected", definition: definition.name, reason: given.reason };
    return { kind: "job", definition: definition.name, parameters: given.parameters };
  }

  /** What a module has chosen goes through the same checks as what a message says itself. */
  #routed(routed: RoutedJob, attributes: Incoming["attributes"], body: MessageBody): Routed {
    const { definitions, extra } = this.#settings;
    const name = routed.definition;
    const definition = name === null ? this.#default : definitions.get(name);
    if (!definition) {
      const meant = suggestion(name ?? "", definitions.keys());
      return unroutable(
        `${routed.source} names the job ${shown(name ?? "")}, which is not defined here${meant || "."}`,
      );
    }
    const given = messageParameters(definition, { body, attributes, byName: false, routed }, extra);
    const { onExit, label } = routed;
    if ("reason" in given) return { kind: "rejected", definition: definition.name, reason: given.reason };
    return { kind: "job", definition: definition.name, parameters: given.parameters, chosen: { onExit, label } };
  }

  #choose(attributes: Incoming["attributes"], body: MessageBody): Choice {
    const { job, definitions } = this.#settings;
    if (Object.hasOwn(attributes, JOB_ATTRIBUTE) && body.isText(["job"])) return this.#named(body);
    const own = job === null ? undefined : definitions.get(job);
    return own ? { kind: "chosen", definition: own, byName: false } : this.#matching(attributes, body);
  }

  #named(body: MessageBody): Choice {
    const definition = this.#namedIn(body);
    if (definition) return { kind: "chosen", definition, byName: true };
    const found = body.field(["job"]);
    const name = "text" in found ? found.text : "";
    const meant = suggestion(name, this.#settings.definitions.keys());
    return unroutable(`The message is for the job ${shown(name)}, which is not defined here${meant || "."}`);
  }

  #namedIn(body: MessageBody): Definition | undefined {
    const found = body.field(["job"]);
    return "text" in found && body.isText(["job"]) ? this.#settings.definitions.get(found.text) : undefined;
  }

  #matching(attributes: Incoming["attributes"], body: MessageBody): Choice {
    const [first, ...others] = this.#definitions.filter(
      ({ route }) => route !== undefined && matches(route, attributes, body),
    );
    if (first && others.length === 0) return { kind: "chosen", definition: first, byName: false };
    if (first) return unroutable(`The message is for more than one job: it matches ${routesOf([first, ...others])}.`);
    return this.#unmatched(body);
  }

  /** Other senders may name a job and its parameters as `submit` does, without the attribute. */
  #unmatched(body: MessageBody): Choice {
    const named = this.#namedIn(body);
    if (named) return { kind: "chosen", definition: named, byName: true };
    const [only, another] = this.#definitions;
    // A module that says nothing of it has said that it is not for the module's job.
    if (!this.#settings.asked?.length && only && !only.route && !another)
      return { kind: "chosen", definition: only, byName: false };
    return unroutable(this.#unmatchedReason(body));
  }

  #unmatchedReason(body: MessageBody): string {
    const routed = this.#definitions.filter(({ route }) => route !== undefined);
    const { asked = [] } = this.#settings;
    if (asked.length > 0 && routed.length === 0)
      return `The message is for no job: ${asked.join(" and ")} takes none of it.`;
    if (this.#definitions.length === 0) return "The message is for no job: none is defined here.";
    if (routed.length === 0) return "The message names no job, none has a `route`, and its queue has no `job`.";
    const byField = routed.some(({ route }) => route && "field" in route);
    const unread = byField ? bodyProblem(body) : null;
    const sentence = `The message is for no job: it matches none of ${routesOf(routed)}.`;
    return unread === null ? sentence : `${sentence} The field ${unread}.`;
  }
}

function matches(route: Route, attributes: Incoming["attributes"], body: MessageBody): boolean {
  if ("attribute" in route) {
    return Object.hasOwn(attributes, route.attribute) && attributes[route.attribute] === route.equals;
  }
  const found = body.field(route.field.split("."));
  return "text" in found && found.text === route.equals;
}

/** Null: fields of it can be read. */
function bodyProblem(body: MessageBody): string | null {
  const found = body.field([]);
  return "problem" in found && !found.absent ? found.problem : null;
}

const MOST_NAMED = 5;

/** `resize (attribute kind = "resize"), crop (field type = "crop") and 3 more`. */
function routesOf(definitions: readonly Definition[]): string {
  const named = definitions
    .slice(0, MOST_NAMED)
    .map(({ name, route }) => `${name} (${route ? conditionOf(route) : ""})`);
  const more = definitions.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function conditionOf(route: Route): string {
  const place = "attribute" in route ? `attribute ${route.attribute}` : `field ${route.field}`;
  return `${place} = ${shown(route.equals)}`;
}

function refuseClashes({ definitions, commandLine, job, extra }: RouterSettings): void {
  if (job !== null && !commandLine && !definitions.has(job)) {
    throw configurationError(
      `The queue's \`job\` is ${shown(job)}, which is not defined${suggestion(job, definitions.keys())}`,
    );
  }
  const takers = commandLine ? [commandLine] : [...definitions.values()];
  for (const { name } of extra) refuseUntaken(name, takers);
}

function refuseUntaken(name: string, takers: readonly Definition[]): void {
  const declared = takers.flatMap((taker) => declarationsIn(taker, name));
  if (declared.length === 0) {
    const known = takers.flatMap(({ parameters }) => [...parameters.keys()]);
    throw usageError(`--param ${shown(name)}: no job has such a parameter${suggestion(name, known)}`);
  }
  for (const { job, parameter } of declared) {
    if (!parameter.from) continue;
    throw usageError(
      `--param ${shown(name)}: the job ${job} takes it from ${writtenPlace(parameter.from)} of each message`,
      "leave out --param, or `from`",
    );
  }
}

function declarationsIn(
  { name: job, parameters }: Definition,
  name: string,
): { job: string; parameter: ParameterDefinition }[] {
  const parameter = withoutCase(parameters, name);
  return parameter ? [{ job, parameter }] : [];
}
