import { shown, suggestion } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import { readDuration, readInteger } from "../invocation.ts";
import { outputMode } from "./flags.ts";
import { emptyRequest, type JobRequest } from "./request.ts";

type Table = Record<string, unknown>;
type Reader<T> = (value: unknown, key: string, line: string) => T;
type Field<K extends keyof JobRequest> = readonly [field: K, read: Reader<JobRequest[K]>];
type AnyField = { [K in keyof JobRequest]: Field<K> }[keyof JobRequest];

/** Which field a key fills. The keys are the options' names, and what only a line can say. */
const FIELDS: Readonly<Record<string, AnyField>> = {
  job: ["job", text],
  command: ["command", texts],
  name: ["name", text],
  params: ["parameters", parameters],
  param: ["parameters", parameters],
  files: ["files", files],
  file: ["files", files],
  body: ["body", (value, key) => new TextEncoder().encode(text(value, key))],
  "body-file": ["bodyFile", text],
  priority: ["priority", (value, key) => readInteger(key, textOrNumber(value, key))],
  delay: ["delayMs", duration],
  expires: ["expiresMs", duration],
  after: ["after", (value, key) => (typeof value === "string" ? [value] : texts(value, key))],
  dedupe: ["dedupe", text],
  hold: ["hold", flag],
  "run-id": ["runId", text],
  "execution-duration": ["executionDurationMs", duration],
  env: ["environment", variables],
  "secret-env": ["secretEnvironment", variables],
  cwd: ["cwd", text],
  timeout: ["timeoutMs", duration],
  grace: ["graceMs", duration],
  "max-attempts": ["maxAttempts", (value, key) => readInteger(key, textOrNumber(value, key), 1)],
  "max-lost": ["maxLost", (value, key) => readInteger(key, textOrNumber(value, key), 1)],
  output: ["output", (value, key) => outputMode(key, text(value, key))],
};

/** @throws ReeveError (usage) for the first thing in the line that is wrong. */
export function readLine(line: string): JobRequest {
  const request = emptyRequest();
  for (const [key, value] of Object.entries(parse(line))) fill(request, key, value, line);
  return request;
}

function parse(line: string): Table {
  const value = parseJson(line);
  if (isTable(value)) return value;
  throw usageError('the line must be a JSON object, such as {"command":["sleep","10"]}');
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw usageError(`the line is not valid JSON: ${error.message.replace(/^JSON Parse error: /, "")}`);
  }
}

const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function fill(request: JobRequest, key: string, value: unknown, line: string): void {
  const name = key.replaceAll("_", "-");
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (field === undefined)
    throw usageError(`${shown(key)} is not a key of a job${suggestion(name, Object.keys(FIELDS))}`);
  assign(request, field, value, key, line);
}

function assign<K extends keyof JobRequest>(
  request: JobRequest,
  [field, read]: Field<K>,
  value: unknown,
  key: string,
  line: string,
): void {
  request[field] = read(value, `\`${key}\``, line);
}

function text(value: unknown, key: string): string {
  if (typeof value === "string") return value;
  throw usageError(`${key} must be a text`);
}

function texts(value: unknown, key: string): string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw usageError(`${key} must be a list of texts`);
}

function flag(value: unknown, key: string): boolean {
  if (typeof value === "boolean") return value;
  throw usageError(`${key} must be true or false`);
}

function textOrNumber(value: unknown, key: string): string | number {
  if (typeof value === "string" || typeof value === "number") return value;
  throw usageError(`${key} must be a number`);
}

function duration(value: unknown, key: string): number {
  if (typeof value === "string" || typeof value === "number") return readDuration(key, value);
  throw usageError(`${key} must be a duration such as "10m" or a number of seconds`);
}

function table(value: unknown, key: string): Table {
  if (isTable(value)) return value;
  throw usageError(`${key} must be an object with a value for each name`);
}

function variables(value: unknown, key: string): Record<string, string> {
  const entries = Object.entries(table(value, key));
  return Object.fromEntries(entries.map(([name, one]) => [name, text(one, `${key}: ${shown(name)}`)]));
}

function files(value: unknown, key: string): JobRequest["files"] {
  return Object.entries(table(value, key)).map(([name, path]) => ({
    name,
    value: "",
    file: text(path, `${key}: ${shown(name)}`).replace(/^@/, ""),
  }));
}

function parameters(value: unknown, key: string, line: string): JobRequest["parameters"] {
  const given = table(value, key);
  const written = Object.values(given).some(holdsNumber) ? withDigits(line, given, key) : given;
  return Object.entries(written).flatMap(([name, one]) =>
    [one].flat().map((item) => ({ name, value: plainText(item, `${key}: ${shown(name)}`) })),
  );
}

const holdsNumber = (value: unknown): boolean => [value].flat().some((one) => typeof one === "number");

/** The same table with its numbers as they are written, since `1.0` and 30 digits would not survive as numbers. */
function withDigits(line: string, given: Table, key: string): Table {
  const again: unknown = JSON.parse(line, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? (context?.source ?? String(value)) : value,
  );
  const written = isTable(again) ? again[key.slice(1, -1)] : undefined;
  return isTable(written) ? written : given;
}

function plainText(value: unknown, key: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw usageError(`${key} must be a text, a number, true, false or a list of them`);
}
