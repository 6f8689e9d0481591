import {
  DEFAULT_LIMITS,
  ISOLATIONS,
  STOP_SIGNALS,
  TERM_EXIT_ZERO,
  type Limits,
  type ResourceLimits,
} from "../../config/definition.ts";
import { readOutputLimit, readResource, RESOURCE_NAMES } from "../../config/resources.ts";
import { messageOf, usageError } from "../../errors.ts";
import { optionForm } from "../arguments.ts";
import type { Options } from "../invocation.ts";
import type { VerbOption } from "../verb.ts";
import { duration, flag, integer, oneOf, pairOf, positiveDuration, table } from "./readers.ts";

/** The option as help shows it, what it does, the limit that it sets, and how its value is read. */
type LimitOption<K extends keyof Limits> = readonly [
  flags: string,
  description: string,
  limit: K,
  read: (value: unknown, setting: string, before: Partial<Limits>) => Limits[K],
];
type AnyLimitOption = { [K in keyof Limits]: LimitOption<K> }[keyof Limits];

/** The one place that says which limits can be set where a command is given, by an option or by a line of a batch. */
const TABLE: readonly AnyLimitOption[] = [
  ["--timeout <duration>", "how long one attempt may take (no limit)", "timeoutMs", duration],
  ["--grace <duration>", "between the stop signal and KILL (10s)", "graceMs", duration],
  ["--stop-signal <name>", "asks it to stop: TERM, INT, HUP, QUIT, USR1, … (TERM)", "stopSignal", oneOf(STOP_SIGNALS)],
  ["--max-attempts <n>", "failures until it is given up (1)", "maxAttempts", integer(1)],
  ["--max-lost <n>", "lost starts until it is given up (3)", "maxLost", integer(1)],
  ["--finish-timeout <duration>", "how long it may go on when its worker stops (0)", "finishMs", duration],
  ["--term-exit-zero <what>", "stopped, it exits with 0: release or completed", "termExitZero", oneOf(TERM_EXIT_ZERO)],
  ["--exit-handler-timeout <duration>", "one try of the exit handler (30s)", "exitHandlerMs", positiveDuration],
  ["--keep-descendants", "what it leaves running lives on", "keepDescendants", flag],
  ["--isolate <none|pid>", "in a pid namespace of its own (none)", "isolate", oneOf(ISOLATIONS)],
  ["--outlive", "goes on when its worker ends; the next one adopts it", "outlive", flag],
  ["--output <log|separate>", "stdout and stderr as one log, or apart (log)", "output", oneOf(["log", "separate"])],
  ["--output-limit <size>", "so much is kept, of its beginning and end (none)", "outputLimitBytes", outputLimit],
  ["--timestamps", "when each line was written is kept, too", "timestamps", flag],
  ["--limit <name=value>", "memory, cpu, processes, open_files, …; may be repeated", "resources", resources],
  ["--limit-optional", "limits that cannot be had here are done without", "resources", optionalResources],
];

/** For verbs that take them. */
export const LIMIT_OPTIONS: readonly VerbOption[] = TABLE.map(([flags, description]) => [flags, description]);

const BY_NAME: ReadonlyMap<string, AnyLimitOption> = new Map(TABLE.map((row) => [optionForm(row[0]).name, row]));
const BY_KEY: ReadonlyMap<string, AnyLimitOption> = new Map([
  ...BY_NAME,
  ...TABLE.flatMap((row) => (row[3] === resources ? [["limits", row] as const] : [])),
]);

/** The keys of a line of a batch that set limits. */
export const LIMIT_KEYS: readonly string[] = [...BY_KEY.keys()];

/** The first option by which one of these limits was set. */
export const nameOfLimit = (limits: Partial<Limits>): string | undefined =>
  [...BY_NAME].find(([, [, , limit]]) => limits[limit] !== undefined)?.[0];

/** What the options say. @throws ReeveError (usage) for the first that is wrong. */
export function limitsOfOptions(options: Options): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const [name, row] of BY_NAME) if (options.has(name)) assign(limits, row, valueOf(options, row), `--${name}`);
  return limits;
}

function valueOf(options: Options, [flags, , limit]: AnyLimitOption): unknown {
  const { name, takesValue } = optionForm(flags);
  if (!takesValue) return options.flag(name);
  return limit === "resources" ? options.texts(name) : options.text(name);
}

/** Takes in what one key of a line says; false: it is no limit. @throws ReeveError (usage) if it is wrong. */
export function setLimit(limits: Partial<Limits>, key: string, value: unknown, setting: string): boolean {
  const row = BY_KEY.get(key);
  if (row !== undefined) assign(limits, row, value, setting);
  return row !== undefined;
}

function assign<K extends keyof Limits>(
  limits: Partial<Limits>,
  [, , limit, read]: LimitOption<K>,
  value: unknown,
  setting: string,
): void {
  limits[limit] = read(value, setting, limits);
}

function outputLimit(value: unknown, setting: string): number | null {
  return explained(setting, () => readOutputLimit(value));
}

/** `NAME=VALUE` each, or an object with a value for each name. */
function resources(value: unknown, setting: string, before: Partial<Limits>): ResourceLimits {
  const given = Array.isArray(value) ? pairsOf(value, setting) : Object.entries(table(value, setting));
  return given.reduce(
    (all, [name, one]) => ({
      ...all,
      ...explained(`${setting} ${name}`, () => readResource(name.replaceAll("-", "_"), one)),
    }),
    before.resources ?? DEFAULT_LIMITS.resources,
  );
}

function pairsOf(words: readonly unknown[], setting: string): [name: string, value: string][] {
  return words.map((word) => {
    const { name, value } = pairOf(setting, String(word));
    return [name, value];
  });
}

function optionalResources(value: unknown, setting: string, before: Partial<Limits>): ResourceLimits {
  return { ...(before.resources ?? DEFAULT_LIMITS.resources), optional: flag(value, setting) ? RESOURCE_NAMES : [] };
}

function explained<T>(setting: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const sentence = messageOf(error).replace(/\.$/, "");
    // What begins with the value is a sentence of its own, the rest goes on where the setting ends.
    throw usageError(`${setting}${sentence.startsWith('"') ? ":" : ""} ${sentence}`);
  }
}
