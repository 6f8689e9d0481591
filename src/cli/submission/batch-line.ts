import { shown, suggestion } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import { typedName } from "./attributes.ts";
import { LIMIT_KEYS, setLimit } from "./limits.ts";
import { duration, flag, integer, isTable, table, text, texts, type Table } from "./readers.ts";
import { emptyRequest, type JobRequest } from "./request.ts";

type Field<K extends keyof JobRequest> = readonly [
  field: K,
  read: (value: unknown, key: string, line: string) => JobRequest[K],
];
type AnyField = { [K in keyof JobRequest]: Field<K> }[keyof JobRequest];

/** Which field a key fills. The keys are the options' names, and what only a line can say; limits are apart. */
const FIELDS: Readonly<Record<string, AnyField>> = {
  job: ["job", text],
  command: ["command", texts],
  name: ["name", text],
  params: ["parameters", parameters],
  param: ["parameters", parameters],
  files: ["files", files],
  file: ["files", files],
  body: ["body", body],
  "body-file": ["bodyFile", text],
  priority: ["priority", integer()],
  delay: ["delayMs", duration],
  expires: ["expiresMs", duration],
  after: ["after", (value, key) => (typeof value === "string" ? [value] : texts(value, key))],
  dedupe: ["dedupe", text],
  attributes: ["attributes", attributes],
  attribute: ["attributes", attributes],
  group: ["group", text],
  "trace-header": ["traceHeader", text],
  hold: ["hold", flag],
  "run-id": ["runId", text],
  "execution-duration": ["executionDurationMs", duration],
  env: ["environment", variables],
  "secret-env": ["secretEnvironment", variables],
  cwd: ["cwd", text],
  "exit-handler": ["exitHandler", texts],
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

function fill(request: JobRequest, key: string, value: unknown, line: string): void {
  const name = key.replaceAll("_", "-");
  if (setLimit(request.limits, name, value, `\`${key}\``)) return;
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (field === undefined)
    throw usageError(`${shown(key)} is not a key of a job${suggestion(name, [...Object.keys(FIELDS), ...LIMIT_KEYS])}`);
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

function body(value: unknown, key: string): Uint8Array {
  const given = text(value, key);
  if (given.isWellFormed()) return new TextEncoder().encode(given);
  throw usageError(`${key} holds half of a surrogate pair, which is no text`);
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
  return Object.entries(withDigits(line, table(value, key), key)).flatMap(([name, one]) =>
    [one].flat().map((item) => ({ name, value: plainText(item, `${key}: ${shown(name)}`) })),
  );
}

/** What is written as a number is one. */
function attributes(value: unknown, key: string, line: string): JobRequest["attributes"] {
  const given = table(value, key);
  const written = withDigits(line, given, key);
  return Object.entries(given).map(([name, one]) => ({
    ...typedName(name, typeof one === "number" ? "Number" : "String"),
    value: plainText(written[name], `${key}: ${shown(name)}`),
  }));
}

const holdsNumber = (value: unknown): boolean => [value].flat().some((one) => typeof one === "number");

/** The same table with its numbers as they are written, since `1.0` and 30 digits would not survive as numbers. */
function withDigits(line: string, given: Table, key: string): Table {
  if (!Object.values(given).some(holdsNumber)) return given;
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
