import * as v from "valibot";
import { messageOf } from "../errors.ts";
import { argumentProblem } from "./argument-text.ts";
import { parseDuration } from "./durations.ts";
import type { Problem } from "./problems.ts";
import { suggestion } from "./wording.ts";

export { NAME, NAME_SENTENCE } from "./names.ts";

/** A key that may be left out. */
export const optional = v.exactOptional;

/** A table as the parser gives it. */
export type Table = Record<string, unknown>;

// valibot leaves these out of every object without a word, so that what is under them would be lost unseen.
const LOST_KEYS = new Set(["__proto__", "constructor", "prototype"]);

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

const anyTable = v.custom<Table>(isTable, "must be a table");

/** The keys of a document that no schema gets to see. */
export function lostKeyProblems(value: unknown, path: readonly string[] = []): Problem[] {
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key];
    return LOST_KEYS.has(key) ? [{ path: here, message: "cannot be used as a name" }] : lostKeyProblems(inner, here);
  });
}

const keysOf = (value: unknown): string[] => (isTable(value) ? Object.keys(value) : []);

/** A problem in the form in which valibot takes it. */
export function issueAt({ path, message }: Problem): v.RawCheckIssueInfo<Table> {
  const [first, ...others] = path.map(pathItem);
  return first === undefined ? { message } : { message, path: [first, ...others] };
}

const pathItem = (key: string | number): v.UnknownPathItem => ({
  type: "unknown",
  origin: "value",
  input: undefined,
  key,
  value: undefined,
});

/** A table with at least these keys. */
export const openTable = <Entries extends v.ObjectEntries>(entries: Entries) =>
  v.pipe(anyTable, v.looseObject(entries, "is missing"));

/** A table with these keys and no others; every key that is not known is named, with the nearest one that is. */
export function table<Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries);
  return v.pipe(
    openTable(entries),
    v.rawCheck(({ dataset, addIssue }) => {
      for (const key of keysOf(dataset.value).filter((key) => !known.includes(key))) {
        addIssue(issueAt({ path: [key], message: `is not a known key${suggestion(key, known)}` }));
      }
    }),
  );
}

/** A table whose keys are names that the user chooses. */
export function named<Value extends v.GenericSchema>(
  form: RegExp,
  message: string,
  value: Value,
  reserved: readonly string[] = [],
) {
  const free = v.check((name: string) => !reserved.includes(name.toLowerCase()), "is a name that Reeve itself needs");
  return v.pipe(anyTable, v.record(v.pipe(v.string(), v.regex(form, message), free), value));
}

/** A text; `nature` ends the sentence for what is none. */
export const text = (nature = "must be a text in quotes") => v.string(nature);

/** A text that may be empty, but can be handed to a program. */
export const passable = v.pipe(
  text(),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? argumentProblem(dataset.value) : null;
    if (problem !== null) addIssue({ message: problem });
  }),
);

/** A text that has to say something and can be handed to a program. */
export const nonEmpty = v.pipe(passable, v.nonEmpty("must not be empty"));

export const flag = v.boolean("must be true or false");

export const anyNumber = v.pipe(v.number("must be a number"), v.finite("must be a finite number"));

/** A whole number that is not below `least`. */
export const count = (least: number) =>
  v.pipe(
    v.number("must be a whole number"),
    v.safeInteger("must be a whole number"),
    v.minValue(least, `must be at least ${least}`),
  );

const reading = <Given, Read>(read: (given: Given) => Read) =>
  v.rawTransform<Given, Read>(({ dataset, addIssue, NEVER }) => {
    try {
      return read(dataset.value);
    } catch (error) {
      addIssue({ message: messageOf(error).replace(/\.$/, "") });
      return NEVER;
    }
  });

/** Whatever `read` makes of it; the sentence that it throws says what is wrong. */
export const parsed = <Read>(read: (given: unknown) => Read) => v.pipe(v.unknown(), reading(read));

/** Milliseconds, out of a duration as it is written: `"10m"`, or a number of seconds. */
export const duration = v.pipe(
  v.union([v.string(), v.number()], 'must be a duration such as "10m" or a number of seconds'),
  reading(parseDuration),
);

/** Milliseconds that cannot be 0. */
export const positiveDuration = v.pipe(duration, v.minValue(1, "must be longer than 0"));

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(words: Words) {
  const list = words.map((word) => `"${word}"`).join(", ");
  const meant = (input: unknown) => (typeof input === "string" ? suggestion(input, words) : "");
  return v.picklist(words, (issue) => `must be one of ${list}${meant(issue.input)}`);
}

/** A list of at least one. */
export const someOf = <Item extends v.GenericSchema>(item: Item, message: string) =>
  v.pipe(v.array(item, message), v.minLength(1, "must not be an empty list"));

type Present<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** The same without the keys that have no value: optional fields are left out rather than set to undefined. */
export function present<T extends object>(fields: T): Present<T> {
  const result: Present<T> = {};
  for (const key in fields) if (isSet(fields[key])) result[key] = fields[key];
  return result;
}

const isSet = <T>(value: T): value is Exclude<T, undefined> => value !== undefined;
