import { shown, suggestion } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import { readDuration, readInteger } from "../invocation.ts";

/** A table as JSON has it. */
export type Table = Record<string, unknown>;

/**
 * Makes of what an option or a line of a batch holds what it has to be; `setting` is what it is called there.
 *
 * @throws ReeveError (usage) that names the setting.
 */
export type Reader<T> = (value: unknown, setting: string) => T;

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function text(value: unknown, setting: string): string {
  if (typeof value === "string") return value;
  throw usageError(`${setting} must be a text`);
}

export function texts(value: unknown, setting: string): string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw usageError(`${setting} must be a list of texts`);
}

export function flag(value: unknown, setting: string): boolean {
  if (typeof value === "boolean") return value;
  throw usageError(`${setting} must be true or false`);
}

export function table(value: unknown, setting: string): Table {
  if (isTable(value)) return value;
  throw usageError(`${setting} must be an object with a value for each name`);
}

/** Milliseconds. */
export function duration(value: unknown, setting: string): number {
  if (typeof value === "string" || typeof value === "number") return readDuration(setting, value);
  throw usageError(`${setting} must be a duration such as "10m" or a number of seconds`);
}

/** Milliseconds that cannot be 0. */
export function positiveDuration(value: unknown, setting: string): number {
  const milliseconds = duration(value, setting);
  if (milliseconds > 0) return milliseconds;
  throw usageError(`${setting} must be longer than 0`);
}

export const integer =
  (least?: number): Reader<number> =>
  (value, setting) => {
    if (typeof value === "string" || typeof value === "number") return readInteger(setting, value, least);
    throw usageError(`${setting} must be a number`);
  };

export const oneOf =
  <const Word extends string>(words: readonly Word[]): Reader<Word> =>
  (value, setting) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const list = words.map((word) => `"${word}"`).join(words.length === 2 ? " or " : ", ");
    const given = text(value, setting);
    throw usageError(
      `${setting} must be ${words.length === 2 ? "" : "one of "}${list}, not ${shown(given)}${suggestion(given, words)}`,
    );
  };

/** `NAME=VALUE`. */
export function pairOf(setting: string, given: string): { name: string; value: string } {
  const at = given.indexOf("=");
  if (at > 0) return { name: given.slice(0, at), value: given.slice(at + 1) };
  throw usageError(`${setting} must be written NAME=VALUE, not ${shown(given)}`);
}
