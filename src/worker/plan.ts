import type { Definition, Limits } from "../config/definition.ts";
import { DEFAULT_LIMITS } from "../config/definition.ts";
import { compileEnvironment, expandEnvironment } from "../config/environment-template.ts";
import { functionEnvironment } from "../config/function-inputs.ts";
import { checkParameters } from "../config/parameters.ts";
import { compileTemplate, expandTemplate, Rejection, type Template, type TemplateContext } from "../config/template.ts";
import { ReeveError } from "../errors.ts";
import { definitionEnvironment, type Environment } from "../process/environment.ts";
import type { Inputs, Job, Parameter } from "../store/job.ts";

/** What is to be run for a job, and under which limits. */
export interface Plan {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The argv of the exit handler; null: there is none. */
  readonly exitHandler: readonly string[] | null;
}

export type Ahead = Pick<Plan, "argv" | "cwd" | "environment"> & { readonly limits: Limits };

export type Planned =
  | { readonly kind: "plan"; readonly plan: Plan; readonly limits: Limits }
  /** This job can never be run as it is. */
  | { readonly kind: "rejected"; readonly reason: string; readonly limits: Limits }
  /** This worker does not know the definition; another may. */
  | { readonly kind: "undefined"; readonly definition: string; readonly limits: Limits };

interface Prepared {
  readonly definition: Definition;
  readonly template: Template;
  readonly exitHandler: Template | null;
  readonly environment: (from: TemplateContext) => Plan["environment"];
}

/** Turns what was asked for into what is run, by the worker's own definitions. */
export class Planner {
  readonly #definitions: ReadonlyMap<string, Definition>;
  readonly #environment: Environment;
  readonly #prepared = new Map<string, Prepared>();

  constructor(definitions: ReadonlyMap<string, Definition>, environment: Environment) {
    this.#definitions = definitions;
    this.#environment = environment;
  }

  plan(job: Pick<Job, "definition">, inputs: Inputs): Planned {
    const { context, command } = inputs;
    if (context.kind === "command" && command) {
      const { cwd, environment, limits, exitHandler = null } = context;
      return { kind: "plan", plan: { argv: command, cwd, environment, exitHandler }, limits };
    }
    const prepared = this.#prepare(job.definition ?? "");
    if (!prepared) return { kind: "undefined", definition: job.definition ?? "", limits: DEFAULT_LIMITS };
    return expand(prepared, inputs);
  }

  /** What can be started for a job of this definition before there is one; its environment lacks what only jobs have. */
  ahead(name: string): Ahead | null {
    const prepared = this.#prepare(name);
    if (!prepared) return null;
    const { definition, template } = prepared;
    const nothing = { parameters: new Map(), body: null, attributes: {} };
    const environment = definitionEnvironment(this.#environment, definition.passEnvironment, {});
    return { argv: expandTemplate(template, nothing), cwd: definition.cwd, environment, limits: definition.limits };
  }

  /** The limits that hold for a job, also where this worker does not know its definition. */
  limits(job: Job, inputs: Inputs): Limits {
    if (inputs.context.kind === "command") return inputs.context.limits;
    return this.#definitions.get(job.definition ?? "")?.limits ?? DEFAULT_LIMITS;
  }

  #prepare(name: string): Prepared | undefined {
    const known = this.#prepared.get(name);
    const definition = this.#definitions.get(name);
    if (known || !definition) return known;
    const { command, exitHandler } = definition;
    const prepared = {
      definition,
      template: compileTemplate(command),
      exitHandler: exitHandler ? compileTemplate(exitHandler) : null,
      environment: environmentOf(definition, this.#environment),
    };
    this.#prepared.set(name, prepared);
    return prepared;
  }
}

/** Where no job has a say in it, all of them share one. */
function environmentOf({ passEnvironment, environment }: Definition, worker: Environment): Prepared["environment"] {
  const template = compileEnvironment(environment);
  const make = (added: Record<string, string>) => definitionEnvironment(worker, passEnvironment, added);
  if (!template.isFixed) return (from) => make(expandEnvironment(template, from));
  const shared = make(expandEnvironment(template));
  return () => shared;
}

function expand({ definition, template, exitHandler, environment }: Prepared, inputs: Inputs): Planned {
  const { cwd, limits } = definition;
  try {
    const parameters = checkParameters(definition, inputs.parameters.flatMap(given));
    const { body, attributes } = inputs;
    const from = { parameters, body, attributes: { ...attributes } };
    const argv = expandTemplate(template, from);
    const cleaning = chosenHandler(definition, inputs.context);
    const handler = cleaning === undefined ? exitHandler && expandTemplate(exitHandler, from) : cleaning;
    const own = environment(from);
    const all = definition.function ? { ...own, ...functionEnvironment(parameters, from.attributes) } : own;
    return { kind: "plan", plan: { argv, cwd, environment: all, exitHandler: handler }, limits };
  } catch (error) {
    if (!(error instanceof Rejection) && !(error instanceof ReeveError)) throw error;
    return { kind: "rejected", reason: error.message, limits };
  }
}

/** What was chosen to clean up after this one job; null: nothing. Undefined: it has what its definition has. */
function chosenHandler(
  { function: module }: Definition,
  context: Inputs["context"],
): readonly string[] | null | undefined {
  if (context.kind !== "definition" || context.onExit === undefined || !module) return undefined;
  return context.onExit === null ? null : [...module.exit, context.onExit];
}

/** Checked again: the definition may have changed since the job was submitted. */
function given({ name, values, file, protocol }: Parameter): { name: string; value: string; file?: string }[] {
  if (protocol) return [];
  return values.map((value) => (file ? { name, value: "", file: value } : { name, value }));
}
