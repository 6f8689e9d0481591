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

type Values = Readonly<Record<string, unknown>>;

const isNested = (value: unknown): value is Values => typeof value === "object" && value !== null;

function childrenOf(values: Values): Markup[] {
  const children: Markup[] = [];
  for (const name in values) if (!UNTOLD.has(name)) addElements(children, `reeve:${name}`, values[name]);
  return children;
}

/** A list has an element for each of its items. */
function addElements(to: Markup[], name: string, value: unknown): void {
  if (value === null) return;
  if (Array.isArray(value)) for (const item of value) addElements(to, name, item);
  else to.push(isNested(value) ? withAttributes(name, value) : element(name, {}, String(value)));
}

/**
 * What an object has are attributes: pyvo takes an element of any depth for the job's own when it is called the same, as
 * the times of an attempt are.
 */
function withAttributes(name: string, values: Values): Markup {
  const attributes: Record<string, string> = {};
  const children: Markup[] = [];
  for (const key in values) {
    if (UNTOLD.has(key)) continue;
    const value = values[key];
    if (isNested(value)) addElements(children, `reeve:${key}`, value);
    else if (value !== null) attributes[key] = String(value);
  }
  return element(name, attributes, ...children);
}
