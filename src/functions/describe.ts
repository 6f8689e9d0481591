import type { ImportModule } from "../runtime/port.ts";
import { explainLoadFailure, type LoadFailure } from "./load-failure.ts";
import { loadModule } from "./load.ts";
import { firstPlace, type Place } from "./places.ts";
import { definedJobs, type DefinedJob } from "./registry.ts";
import { withTrouble } from "./trouble.ts";

/** What a module says of itself, as it goes from one process to another. */
export type Description = { readonly jobs: readonly DescribedJob[]; readonly hasRoute: boolean } | LoadFailure;

/** One job of a module. */
export interface DescribedJob {
  readonly name: string;
  /** As a table `[jobs.NAME]` would have it, but for the commands. */
  readonly table: Readonly<Record<string, unknown>>;
  readonly hasExit: boolean;
  /** What no table can tell. */
  readonly problems: readonly string[];
  /** Where it is defined. */
  readonly place: Place | null;
}

/** Loads a module, and tells what is in it. */
export async function describeModule(file: string, importModule: ImportModule): Promise<Description> {
  const end = await withTrouble(() => loadModule(file, importModule));
  return end.kind === "returned" ? describeExports(end.value, file) : explainLoadFailure(end.error, file);
}

function describeExports(exports: Readonly<Record<string, unknown>>, file: string): Description {
  const known = definedJobs();
  const named = Object.entries(exports).flatMap(([name, value]) => {
    const job = known.get(value);
    return job ? [{ name, job, value }] : [];
  });
  const nameless = [...known]
    .filter(([value]) => !named.some((one) => one.value === value))
    .map(([, job]) => placeOf(job))
    .find((place) => place?.file === file);
  if (nameless) return { message: "this job is not exported, so that it has no name", place: nameless };
  const { route } = exports;
  const hasRoute = typeof route === "function";
  if (route !== undefined && !hasRoute && !known.has(route))
    return { message: "route must be a function", place: null };
  if (named.length === 0 && !hasRoute)
    return { message: "no job is exported: `export const NAME = defineJob({ … })`", place: null };
  return { jobs: named.map(({ name, job }) => describeJob(name, job)), hasRoute };
}

const placeOf = ({ at }: DefinedJob): Place | null => firstPlace(at.stack ?? "");

function describeJob(name: string, job: DefinedJob): DescribedJob {
  const { run, onExit, params, limits, ...rest } = job.source;
  const table = {
    ...tomlKeys(rest),
    ...(params !== undefined && { params: isPlain(params) ? mapValues(params, parameterTable) : params }),
    ...(limits !== undefined && { limits: withTomlKeys(limits) }),
  };
  const problems = [
    ...(typeof run === "function" ? [] : ["run must be a function"]),
    ...(onExit === undefined || typeof onExit === "function" ? [] : ["onExit must be a function"]),
  ];
  return { name, table, hasExit: onExit !== undefined, problems, place: placeOf(job) };
}

/** A type alone is that of one that must be given. */
const parameterTable = (given: unknown): unknown =>
  typeof given === "string" ? { type: given, required: true } : withTomlKeys(given);

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const withTomlKeys = (given: unknown): unknown => (isPlain(given) ? tomlKeys(given) : given);

const tomlKeys = (given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).map(([key, value]) => [tomlKey(key), value]));

/** `maxAttempts` is `max_attempts` there. */
export const tomlKey = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const mapValues = (given: Record<string, unknown>, change: (value: unknown) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).map(([key, value]) => [key, change(value)]));

/** As JSON, where what cannot be told becomes null, which no key takes. */
export const descriptionText = (description: Description): string =>
  JSON.stringify(description, (_, value: unknown) =>
    ["function", "symbol", "bigint"].includes(typeof value) ? null : value,
  );
