/** A text out of a message's body, or why there is none (`is missing`). */
export type Found = { text: string } | { problem: string };

/** The body of one message. It is decoded and parsed once, when first asked for. */
export interface MessageBody {
  /** All of it, as text. */
  whole: () => Found;
  /** One field of a JSON body: keys, and digits for the items of a list. Objects and lists are given as JSON. */
  field: (path: readonly string[]) => Found;
}

/** A number of the body with the digits it was written with, which a JavaScript number would not keep. */
class WrittenNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

type Json = string | boolean | null | WrittenNumber | Json[] | { [key: string]: Json };

/** Reads from a message's bytes; null stands for a job without a body. */
export function messageBody(bytes: Uint8Array | null): MessageBody {
  const whole = once(() => decode(bytes));
  const parsed = once(() => parse(whole()));
  return { whole, field: (path) => fieldOf(parsed(), path) };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function decode(bytes: Uint8Array | null): Found {
  if (bytes === null) return { problem: "is missing: the job has no body" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { problem: "is not valid UTF-8" };
  }
}

type Parsed = { json: Json } | { problem: string };

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

function fieldOf(parsed: Parsed, path: readonly string[]): Found {
  if ("problem" in parsed) return parsed;
  let here: Json | undefined = parsed.json;
  for (const step of path) here = child(here, step);
  if (here === undefined) return { problem: "is missing" };
  if (here === null) return { problem: "is null" };
  return writtenOut(here);
}

function child(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return /^\d+$/.test(step) ? value[Number(step)] : undefined;
  if (typeof value !== "object" || value === null || value instanceof WrittenNumber) return undefined;
  return Object.hasOwn(value, step) ? value[step] : undefined;
}

function writtenOut(value: Json): Found {
  try {
    return { text: typeof value === "string" ? value : jsonText(value) };
  } catch (error) {
    if (error instanceof RangeError) return { problem: "is nested too deeply" };
    throw error;
  }
}

function jsonText(value: Json): string {
  if (value instanceof WrittenNumber) return value.digits;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (typeof value === "object" && value !== null) return `{${Object.entries(value).map(member).join(",")}}`;
  return JSON.stringify(value);
}

const member = ([key, value]: [string, Json]): string => `${JSON.stringify(key)}:${jsonText(value)}`;
