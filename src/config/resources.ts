import { argumentProblem } from "./argument-text.ts";
import type { ResourceLimits, ResourceName } from "./definition.ts";
import { parseDuration } from "./durations.ts";
import { parseSize } from "./sizes.ts";
import { shown, suggestion } from "./wording.ts";

/** Whatever a file, an option or a line of JSON holds; throws an Error with a sentence when it cannot be that. */
type Read<T> = (given: unknown) => T;
type Entry<K extends keyof ResourceLimits> = readonly [field: K, read: Read<Required<ResourceLimits>[K]>];
type AnyEntry = { [K in keyof ResourceLimits]-?: Entry<K> }[keyof ResourceLimits];

const MOST_CPUS = 4096;

const ENTRIES: Readonly<Record<string, AnyEntry>> = {
  memory: ["memoryBytes", positiveSize],
  cpu: ["cpus", processors],
  processes: ["processes", (given) => integer(given, 1)],
  cpu_time: ["cpuSeconds", (given) => Math.max(1, Math.ceil(parseDuration(textOrNumber(given)) / 1000))],
  open_files: ["openFiles", (given) => integer(given, 1)],
  file_size: ["fileSizeBytes", positiveSize],
  nice: ["nice", (given) => integer(given, -20, 19)],
  umask: ["umask", umask],
  user: ["user", account],
  group: ["group", account],
  optional: ["optional", optional],
};

/** What can be said in a table of limits. */
export const RESOURCE_KEYS: readonly string[] = Object.keys(ENTRIES);

const NAMED = Object.entries(ENTRIES).flatMap(([key, [field]]) => (field === "optional" ? [] : [{ key, field }]));

/** All that can be bounded. */
export const RESOURCE_NAMES: readonly ResourceName[] = NAMED.map(({ field }) => field);

/** What `reeve.toml` and the options call it. */
export const resourceKey = (name: ResourceName): string => NAMED.find(({ field }) => field === name)?.key ?? name;

/**
 * What one key of a table of limits says.
 *
 * @throws Error with a sentence that ends what begins with the key (`must be at least 1`).
 */
export function readResource(key: string, given: unknown): Partial<ResourceLimits> {
  const entry = Object.hasOwn(ENTRIES, key) ? ENTRIES[key] : undefined;
  if (entry === undefined) throw new Error(`is not a limit${suggestion(key, RESOURCE_KEYS)}`);
  const limits: Partial<ResourceLimits> = {};
  assign(limits, entry, given);
  return limits;
}

function assign<K extends keyof ResourceLimits>(to: Partial<ResourceLimits>, [field, read]: Entry<K>, given: unknown) {
  to[field] = read(given);
}

/** Bytes of output that are kept; null: all. @throws Error with a sentence. */
export function readOutputLimit(given: unknown): number | null {
  return given === "none" ? null : parseSize(textOrNumber(given)) || null;
}

function textOrNumber(given: unknown): string | number {
  if (typeof given === "string" || typeof given === "number") return given;
  throw new Error("must be a number, or a text in quotes");
}

function positiveSize(given: unknown): number {
  const bytes = parseSize(textOrNumber(given));
  if (bytes > 0) return bytes;
  throw new Error("must be more than 0; leave it out for no limit");
}

function integer(given: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const text = String(textOrNumber(given)).trim();
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new Error(`must be a whole number, not ${shown(text)}`);
  if (number < least) throw new Error(`must be at least ${least}, not ${number}`);
  if (number > most) throw new Error(`must be at most ${most}, not ${number}`);
  return number;
}

/** The kernel's smallest share of a processor is 1 ms of 100. */
function processors(given: unknown): number {
  const text = String(textOrNumber(given)).trim();
  const number = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 0.01 && number <= MOST_CPUS) return number;
  throw new Error(`must be a number of processors from 0.01 to ${MOST_CPUS}, such as 1.5, not ${shown(text)}`);
}

/** A number would be read as a decimal one, which nobody means. */
function umask(given: unknown): number {
  if (typeof given === "string" && /^0?[0-7]{1,3}$/.test(given)) return Number.parseInt(given, 8);
  throw new Error('must be octal digits in quotes, such as "077"');
}

function account(given: unknown): string {
  const name = String(textOrNumber(given));
  const problem = argumentProblem(name) ?? (/^[^-:\s][^:\s]*$/.test(name) ? null : "must be a name or a number");
  if (problem === null) return name;
  throw new Error(problem);
}

function optional(given: unknown): readonly ResourceName[] {
  if (typeof given === "boolean") return given ? RESOURCE_NAMES : [];
  const keys: unknown[] = typeof given === "string" ? given.split(",") : [given].flat();
  return keys.map((key) => {
    const named = NAMED.find((one) => one.key === key);
    if (named) return named.field;
    const what = typeof key === "string" ? `, and ${shown(key)} is none${suggestion(key, RESOURCE_KEYS)}` : "";
    throw new Error(`must be true, or a list of limits${what}`);
  });
}
