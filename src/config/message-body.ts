import { readFileSync } from "node:fs";
import { messageOf } from "../errors.ts";

/** What a job is given: bytes where they are few, a file (of `size` bytes) where they are many; null: nothing. */
export type Body =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly path: string; readonly size: number }
  | null;

export const inlineBody = (bytes: Uint8Array | null): Body => bytes && { kind: "inline", bytes };

/** Why something is not to be had (`is missing`); `absent`: nothing is wrong with the body, it only does not say it. */
export interface NotFound {
  problem: string;
  absent?: true;
}

/** A text out of a message's body, or why there is none. */
export type Found = { text: string } | NotFound;

/** A text for each item of a list, and one for anything else. */
export type FoundItems = { texts: string[] } | NotFound;

/** The members of an object; a text for each plain value that one holds, null where it holds others. */
export type FoundMembers = { members: ReadonlyMap<string, readonly string[] | null> } | NotFound;

/** The body of one message. It is decoded and parsed once, when first asked for. */
export interface MessageBody {
  /** All of it, as text. */
  whole: () => Found;
  /** One field of a JSON body: keys, and digits for the items of a list. Objects and lists are given as JSON. */
  field: (path: readonly string[]) => Found;
  /** The same, item by item where it is a list. */
  items: (path: readonly string[]) => FoundItems;
  /** A field that has to be an object, with plain values (a text, a number, true, false) or lists of these. */
  members: (path: readonly string[]) => FoundMembers;
  /** Whether a field is there and is a text in JSON. */
  isText: (path: readonly string[]) => boolean;
}

/** A number of the body with the digits it was written with, which a JavaScript number would not keep. */
class WrittenNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

type Json = string | boolean | null | WrittenNumber | Json[] | { [key: string]: Json };

/** To read 8 MiB of JSON keeps the only thread for half a second at worst; an argument has 128 KiB at most. */
const MOST_READ = 8 * 1024 * 1024;

/** Reads from a job's body; a file is read when first asked for. */
export function messageBody(body: Body): MessageBody {
  const whole = once(() => decode(body));
  const parsed = once(() => parse(whole()));
  const at = (path: readonly string[]): Parsed => valueAt(parsed(), path);
  return {
    whole,
    field: (path) => fieldOf(at(path)),
    items: (path) => itemsOf(at(path)),
    members: (path) => membersOf(at(path)),
    isText: (path) => isText(at(path)),
  };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function decode(body: Body): Found {
  if (body === null) return { problem: "is missing: the job has no body" };
  const bytes = body.kind === "inline" ? body.bytes : readWhole(body);
  if ("problem" in bytes) return bytes;
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { problem: "is not valid UTF-8" };
  }
}

function readWhole({ path, size }: Extract<Body, { kind: "file" }>): Uint8Array | NotFound {
  if (size > MOST_READ) return { problem: `has ${size} bytes, and of more than ${MOST_READ} nothing is taken` };
  try {
    return readFileSync(path);
  } catch (error) {
    return { problem: `cannot be read: ${messageOf(error)}` };
  }
}

type Parsed = { json: Json } | NotFound;

function parse(body: Found): Parsed {
  if ("problem" in body) return { problem: `cannot be read: the body ${body.problem}` };
  try {
    return { json: JSON.parse(body.text.replace(/^\uFEFF/, ""), keepDigits) };
  } catch (error) {
    const problem = error instanceof RangeError ? "is nested too deeply" : "is not valid JSON";
    return { problem: `cannot be read: the body ${problem}` };
  }
}

const keepDigits = (_key: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === "number" ? new WrittenNumber(context?.source ?? String(value)) : value;

function valueAt(parsed: Parsed, path: readonly string[]): Parsed {
  if ("problem" in parsed) return parsed;
  let here: Json | undefined = parsed.json;
  for (const step of path) here = child(here, step);
  if (here === undefined) return { problem: "is missing", absent: true };
  return here === null ? { problem: "is null", absent: true } : { json: here };
}

const fieldOf = (found: Parsed): Found => ("problem" in found ? found : writtenOut(found.json));

function itemsOf(found: Parsed): FoundItems {
  if ("problem" in found) return found;
  const texts: string[] = [];
  for (const item of [found.json].flat()) {
    const written = writtenOut(item);
    if ("problem" in written) return written;
    texts.push(written.text);
  }
  return { texts };
}

function membersOf(found: Parsed): FoundMembers {
  if ("problem" in found) return found;
  const { json } = found;
  if (!isObject(json)) return { problem: "is not an object" };
  return { members: new Map(Object.entries(json).map(([name, value]) => [name, plainTexts(value)])) };
}

const isText = (found: Parsed): boolean => "json" in found && typeof found.json === "string";

const isObject = (json: Json): json is { [key: string]: Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof WrittenNumber);

/** Null says that nothing is given, as an absent member would. */
function plainTexts(value: Json): string[] | null {
  if (value === null) return [];
  const items = [value].flat();
  return items.every(isPlain) ? items.map(jsonOrText) : null;
}

const isPlain = (value: Json): boolean => value instanceof WrittenNumber || typeof value !== "object";

const jsonOrText = (value: Json): string => (typeof value === "string" ? value : jsonText(value));

function child(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return /^\d+$/.test(step) ? value[Number(step)] : undefined;
  return value !== undefined && isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

function writtenOut(value: Json): Found {
  try {
    return { text: jsonOrText(value) };
  } catch (error) {
    if (error instanceof RangeError) return { problem: "is nested too deeply" };
    throw error;
  }
}

function jsonText(value: Json): string {
  if (value instanceof WrittenNumber) return value.digits;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (isObject(value)) return `{${Object.entries(value).map(member).join(",")}}`;
  return JSON.stringify(value);
}

const member = ([key, value]: [string, Json]): string => `${JSON.stringify(key)}:${jsonText(value)}`;
