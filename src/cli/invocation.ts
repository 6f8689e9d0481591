import { parseDuration } from "../config/durations.ts";
import { shown } from "../config/wording.ts";
import { messageOf, usageError } from "../errors.ts";
import { markedText } from "./arguments.ts";

/** What a verb was asked for. Every verb's file exports `run(invocation)`, which gives the exit code. */
export interface Invocation {
  readonly verb: string;
  /** What stands beside the options, as it was written; how many there may be, the verb's usage has checked. */
  readonly args: readonly string[];
  readonly options: Options;
  /** What stands after `--`, verbatim; empty if there is nothing. */
  readonly command: readonly string[];
}

/** The form of a verb's function; its number is the exit code. */
export type Run = (invocation: Invocation) => Promise<number>;

/** The options by their long names without dashes (`max-attempts`). Of an option given twice the last one counts. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>;

  /** Takes what the parser made of the arguments. */
  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  #all(name: string): unknown[] {
    const value = this.#values[name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    return value === undefined ? [] : [value].flat();
  }

  /** Undefined where neither `--name` nor `--no-name` was given. */
  switched(name: string): boolean | undefined {
    const value = this.#all(name).at(-1);
    return value === undefined ? undefined : value !== false;
  }

  flag(name: string): boolean {
    return this.switched(name) ?? false;
  }

  has(name: string): boolean {
    return this.#all(name).length > 0;
  }

  text(name: string): string | undefined {
    return this.texts(name).at(-1);
  }

  /** Every value of an option that may be repeated. */
  texts(name: string): string[] {
    return this.#all(name).flatMap((value) => markedText(value) ?? []);
  }

  /** @throws ReeveError (usage) when it is no whole number, or below `least`. */
  integer(name: string, least?: number): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : readInteger(`--${name}`, text, least);
  }

  /** Milliseconds. @throws ReeveError (usage) when it is none. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : readDuration(`--${name}`, text);
  }
}

/** @throws ReeveError (usage) that names the setting. */
export function readInteger(setting: string, given: string | number, least = Number.MIN_SAFE_INTEGER): number {
  const text = String(given);
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw usageError(`${setting} must be a whole number, not ${shown(text)}`);
  if (number < least) throw usageError(`${setting} must be at least ${least}, not ${number}`);
  return number;
}

/** Milliseconds. @throws ReeveError (usage) that names the setting. */
export function readDuration(setting: string, given: string | number): number {
  try {
    return parseDuration(given);
  } catch (error) {
    throw usageError(`${setting}: ${messageOf(error).replace(/\.$/, "")}`);
  }
}
