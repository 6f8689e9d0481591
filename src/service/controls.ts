import { CONTROL_NAMES } from "../config/names.ts";
import type { GivenParameter } from "../config/parameters.ts";
import type { Parameter } from "../store/job.ts";
import { LONGEST_DURATION } from "../uws/job-xml.ts";
import { readUtc } from "../uws/times.ts";
import { isXmlText } from "../uws/xml.ts";
import type { Field } from "./form.ts";
import { malformed } from "./refusal.ts";

/** What is asked of a job beside its parameters. Absent: nothing was said. */
export interface Controls {
  readonly phase?: "RUN" | "ABORT";
  readonly action?: "DELETE";
  /** Seconds; 0: unlimited. */
  readonly executionDuration?: number;
  /** Milliseconds since 1970. */
  readonly destruction?: number;
  readonly runId?: string;
}

/** What was posted, told apart. */
export interface Posted {
  readonly controls: Controls;
  readonly parameters: readonly GivenParameter[];
  /** DALI's own, where the definition does not declare them. */
  readonly protocol: readonly Parameter[];
}

/** DALI 1.1, section 3.4; RUNID, which is one of them, has a place of its own in UWS. */
const PROTOCOL: ReadonlySet<string> = new Set(["request", "version", "lang", "responseformat", "maxrec"]);

const LONGEST_RUN_ID = 1000;

/**
 * Tells the control names, whose case does not count, from parameters: none of them can ever be one.
 *
 * @throws Refusal (400) for a control with a value that is none
 */
export function readPosted(fields: readonly Field[], declared: Iterable<string>): Posted {
  const names = new Set([...declared].map((name) => name.toLowerCase()));
  const parameters: GivenParameter[] = [];
  const protocol: Parameter[] = [];
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    if (CONTROL_NAMES.has(key)) continue;
    if (PROTOCOL.has(key) && !names.has(key)) protocol.push(protocolParameter(key.toUpperCase(), value));
    else parameters.push({ name, value });
  }
  return { controls: readControls(fields), parameters, protocol: united(protocol) };
}

const protocolParameter = (name: string, value: string): Parameter => ({
  name,
  values: [value],
  file: false,
  secret: false,
  protocol: true,
});

/** DALI lets most of them be repeated. */
const united = (given: readonly Parameter[]): Parameter[] =>
  [...Map.groupBy(given, ({ name }) => name).values()].flatMap((same) =>
    same.slice(0, 1).map((one) => ({ ...one, values: same.flatMap(({ values }) => values) })),
  );

function readControls(fields: readonly Field[]): Controls {
  const phase = control(fields, "phase", "RUN or ABORT", readWord("RUN", "ABORT"));
  const action = control(fields, "action", "DELETE", readWord("DELETE"));
  const executionDuration = control(fields, "executionduration", "a whole number of seconds", readSeconds);
  const destruction = control(fields, "destruction", "an ISO 8601 time, UTC: 2026-05-01T09:30:00Z", readUtc);
  const runId = control(fields, "runid", `a text of at most ${LONGEST_RUN_ID} characters`, readRunId);
  return {
    ...(phase !== null && { phase }),
    ...(action !== null && { action }),
    ...(executionDuration !== null && { executionDuration }),
    ...(destruction !== null && { destruction }),
    ...(runId !== null && { runId }),
  };
}

/** Null: it was not given. What is said twice must be the same: some clients say it in the query and in the form. */
function control<T>(fields: readonly Field[], name: string, what: string, read: (text: string) => T | null): T | null {
  const values = new Set(fields.flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : [])));
  const [value] = values;
  if (value === undefined) return null;
  if (values.size > 1) throw malformed(`${name.toUpperCase()} is given more than once, and not alike.`);
  const found = read(value);
  if (found === null) throw malformed(`${name.toUpperCase()} must be ${what}.`);
  return found;
}

const readWord =
  <Word extends string>(...words: readonly Word[]) =>
  (text: string): Word | null =>
    words.find((word) => word === text.trim().toUpperCase()) ?? null;

/** What the schema's integer cannot hold is as good as what it can. */
const readSeconds = (text: string): number | null =>
  /^\d+$/.test(text.trim()) ? Math.min(Number(text), LONGEST_DURATION) : null;

const readRunId = (text: string): string | null => (isXmlText(text) && text.length <= LONGEST_RUN_ID ? text : null);
