import { resolve } from "node:path";
import { jobTablesOf } from "../config/configuration.ts";
import type { Definition, Limits } from "../config/definition.ts";
import type { QueueDefinition } from "../config/queue-definition.ts";
import { configurationError } from "../errors.ts";
import type { Duration, JobOptions } from "../functions/options.ts";
import type { Parameter, ParameterType } from "../functions/parameter-types.ts";

export type { Duration };

/** What bounds a job's run. What is left out is as for a job of the command line. */
export type LimitSettings = Omit<JobOptions, "description" | "env" | "passEnv" | "cwd" | "route">;

/** A named way to make jobs: what `[jobs.NAME]` is in `reeve.toml`, with keys in camel case. */
export interface JobDefinition extends Omit<JobOptions, "cwd"> {
  /** An argv template without a shell: `["./resize.sh", "{param.image}"]`. */
  readonly command: readonly string[];
  /** By name: the type of one that is required, or all that is to be said of it. */
  readonly params?: Readonly<Record<string, ParameterType | ParameterSettings>>;
  /** An argv template: what cleans up after a job that did not get to end by itself. */
  readonly exitHandler?: readonly string[];
  /** From where this process works. */
  readonly cwd?: string;
}

/** What one parameter of a command's definition accepts. */
export interface ParameterSettings extends Parameter {
  /** Its value may begin an argument with `-`. */
  readonly allowLeadingDash?: boolean;
}

/** By name. */
export type JobDefinitions = Readonly<Record<string, JobDefinition>>;

type Plain = Record<string, unknown>;

/**
 * Definitions as a worker has them, checked as those of `reeve.toml` are.
 *
 * @throws ReeveError (configuration) with a line for each thing that is wrong
 */
export async function readDefinitions(given: JobDefinitions, cwd: string): Promise<Map<string, Definition>> {
  const jobs = mapped(given, jobTable);
  const table = await checked({ jobs }, "definitions");
  return new Map(
    Object.entries(jobTablesOf(table)).map(([name, job]) => [
      name,
      { ...job, name, cwd: resolve(cwd, job.cwd ?? ".") },
    ]),
  );
}

/** @throws ReeveError (configuration) with a line for each limit that is wrong */
export async function readLimits(given: LimitSettings): Promise<Limits> {
  const table = await checked({ jobs: { job: { ...snaked(given), command: ["true"] } } }, "job");
  const limits = jobTablesOf(table)["job"]?.limits;
  if (!limits) throw new Error("the limits of a job were lost");
  return limits;
}

/** @throws ReeveError (configuration) with a line for each thing that is wrong */
export async function readQueue(given: object): Promise<QueueDefinition> {
  const table = await checked({ queues: { queue: snaked(given) } }, "queue");
  const queue = table.queues?.["queue"];
  if (!queue) throw new Error("the settings of a queue were lost");
  return queue;
}

async function checked(document: Plain, what: string) {
  const { checkDocument } = await import("../config/schema.ts");
  const result = checkDocument(document);
  if ("table" in result) return result.table;
  const lines = result.problems.map(({ path, message }) => `${placeOf(path.map(String), what)} ${message}`);
  throw configurationError(lines.join("\n"));
}

/** As whoever wrote it would look for it: `definitions.resize.maxAttempts`. */
function placeOf([, name = "", ...keys]: readonly string[], what: string): string {
  const isNamed = what === "definitions";
  return [what, ...(isNamed ? [name] : []), ...keys.map(camel)].join(".");
}

function jobTable({ params, ...others }: JobDefinition): Plain {
  const declared =
    params && mapped(params, (one) => (typeof one === "string" ? { type: one, required: true } : snaked(one)));
  return { ...snaked(others), ...(declared && { params: declared }) };
}

const mapped = <T>(given: Readonly<Record<string, T>>, map: (one: T) => unknown): Plain =>
  Object.fromEntries(Object.entries(given).map(([name, one]) => [name, map(one)]));

/** The same with the keys of `reeve.toml`; what is undefined was not said. */
function snaked(given: object): Plain {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said.map(([key, value]) => [snake(key), key === "limits" ? snaked(value) : value]));
}

const snake = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const camel = (key: string): string => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
