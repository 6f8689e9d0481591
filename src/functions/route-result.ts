import { basename } from "node:path";
import { Reject, Release } from "./api.ts";
import { definedJobs } from "./registry.ts";

type Exports = Readonly<Record<string, unknown>>;
/** A value as texts, several of a list; null: no parameter can be that. */
type Texts = readonly string[] | null;

/** What `route` has made of a message, as it goes from one process to another. */
export type Said =
  | { readonly kind: "nothing" }
  | { readonly kind: "reject"; readonly reason: string }
  | { readonly kind: "release"; readonly reason: string; readonly seconds: number }
  /** `isOver`: the process ends. */
  | { readonly kind: "failed"; readonly message: string; readonly isOver?: true }
  | SaidJob;

export interface SaidJob {
  readonly kind: "job";
  readonly job: string | null;
  readonly params: readonly (readonly [name: string, value: Texts])[];
  readonly args: readonly Texts[];
  /** Absent: as the job has it. */
  readonly onExit?: string | null;
  readonly name: string | null;
}

const KEYS = ["job", "params", "args", "onExit", "name"];

/** Reads what `route` returned, or threw to say what is to become of the message; null: it says nothing of the kind. */
export function verdictOf(value: unknown): Said | null {
  if (value instanceof Reject) return { kind: "reject", reason: value.message || "rejected by `route`" };
  if (value instanceof Release) return { kind: "release", reason: value.message, seconds: value.seconds };
  return null;
}

/**
 * Reads what `route` returned.
 *
 * @throws TypeError that says what is wrong with it
 */
export function saidOf(value: unknown, exports: Exports, file: string): Said {
  if (value === undefined || value === null) return { kind: "nothing" };
  const verdict = verdictOf(value);
  if (verdict) return verdict;
  const module = { exports, name: basename(file) };
  if (definedJobs().has(value)) return { ...NOTHING, job: nameOf(value, module) };
  return isPlain(value) ? fromTable(value, module) : { ...NOTHING, args: argsOf(value) };
}

const NOTHING: SaidJob = { kind: "job", job: null, params: [], args: [], name: null };

interface Module {
  readonly exports: Exports;
  readonly name: string;
}

function fromTable(value: Exports, module: Module): Said {
  const stranger = Object.keys(value).find((key) => !KEYS.includes(key));
  if (stranger !== undefined) {
    throw new TypeError(`route gives the key ${JSON.stringify(stranger)}: it may give ${KEYS.join(", ")}`);
  }
  const { job, params, args, onExit, name } = value;
  const named = isPlain(params);
  if (!named && params !== undefined && args !== undefined) throw new TypeError("route gives args twice");
  return {
    kind: "job",
    job: job === undefined ? null : nameOf(job, module),
    params: named ? Object.entries(params).map(([key, one]) => [key, textsOf(one)] as const) : [],
    args: argsOf(named ? args : (args ?? params)),
    ...(onExit !== undefined && { onExit: onExit === null ? null : handlerOf(onExit, module) }),
    name: labelOf(name),
  };
}

function nameOf(job: unknown, { exports, name }: Module): string {
  if (typeof job === "string" && job !== "") return job;
  const found = definedJobs().has(job) ? Object.keys(exports).find((key) => exports[key] === job) : undefined;
  if (found !== undefined) return found;
  throw new TypeError(`route gives a job that is neither one that ${name} exports, nor the name of one`);
}

/** A function that is exported, or a job that has one. */
function handlerOf(handler: unknown, { exports, name }: Module): string {
  const found = Object.keys(exports).find((key) => key === handler || exports[key] === handler);
  if (found !== undefined && exitHandlerOf(exports[found])) return found;
  throw new TypeError(`route gives an onExit that is neither a function that ${name} exports, nor a job that has one`);
}

/** The exit handler that an export is, or has. */
export function exitHandlerOf(exported: unknown): unknown {
  if (typeof exported === "function") return exported;
  const own = definedJobs().get(exported)?.source["onExit"];
  return typeof own === "function" ? own : undefined;
}

function labelOf(name: unknown): string | null {
  if (name === undefined || name === null || typeof name === "string") return name ?? null;
  throw new TypeError(`route gives a name that is no text, but a ${typeof name}`);
}

/** One value, or a list of them, one for each parameter. */
function argsOf(value: unknown): Texts[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "function") throw new TypeError("route gives a function, which is no value for a parameter");
  return Array.isArray(value) ? value.map(textsOf) : [textsOf(value)];
}

function textsOf(value: unknown): Texts {
  if (value === undefined || value === null) return [];
  const items = [value].flat();
  return items.every(isScalar) ? items.map(String) : null;
}

const isScalar = (value: unknown): value is string | number | boolean | bigint =>
  ["string", "number", "boolean", "bigint"].includes(typeof value);

function isPlain(value: unknown): value is Exports {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
