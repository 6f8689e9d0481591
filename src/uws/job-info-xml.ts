import { jobInfo, type JobFacts } from "./document.ts";
import { element, type Markup } from "./xml.ts";

const NAMESPACE = { "xmlns:reeve": "urn:reeve:job-info" };

/** Where and as what it runs is the operator's business, and not for whoever may read the job. */
const UNTOLD: ReadonlySet<string> = new Set([
  "command",
  "exitHandler",
  "cwd",
  "worker",
  "pid",
  "messageId",
  "abortBy",
  "suspendBy",
  "heldBy",
]);

/** What `--json` has in its `jobInfo`, under the same names. What is not known, or not so, is left out. */
export function jobInfoMarkup(facts: JobFacts): Markup | null {
  const { attempts, ...others } = jobInfo(facts);
  const parts = childrenOf({ ...others, attempt: attempts });
  return parts.length === 0 ? null : element("uws:jobInfo", NAMESPACE, ...parts);
}

const told = (values: object): [string, unknown][] => Object.entries(values).filter(([name]) => !UNTOLD.has(name));
const isNested = (value: unknown): value is object => typeof value === "object" && value !== null;

const childrenOf = (values: object): Markup[] =>
  told(values).flatMap(([name, value]) => markupOf(`reeve:${name}`, value));

/** A list has an element for each of its items. */
function markupOf(name: string, value: unknown): Markup[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item: unknown) => markupOf(name, item));
  return [isNested(value) ? withAttributes(name, value) : element(name, {}, String(value))];
}

/**
 * What an object has are attributes: pyvo takes an element of any depth for the job's own when it is called the same, as
 * the times of an attempt are.
 */
function withAttributes(name: string, values: object): Markup {
  const fields = told(values);
  const plain = fields.filter(([, value]) => value !== null && !isNested(value));
  const nested = fields.filter(([, value]) => isNested(value));
  const attributes = Object.fromEntries(plain.map(([key, value]) => [key, String(value)]));
  return element(name, attributes, ...childrenOf(Object.fromEntries(nested)));
}
