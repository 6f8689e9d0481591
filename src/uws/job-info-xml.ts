import { jobDocument, type JobFacts } from "./document.ts";
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

/** What `--json` has in its `jobInfo`, as elements of the same names. What is not known, or not so, is left out. */
export function jobInfoMarkup(facts: JobFacts): Markup | null {
  const parts = fields(jobDocument(facts).jobInfo);
  return parts.length === 0 ? null : element("uws:jobInfo", NAMESPACE, ...parts);
}

const fields = (values: object): Markup[] =>
  Object.entries(values).flatMap(([name, value]) => (UNTOLD.has(name) ? [] : markupOf(`reeve:${name}`, value)));

/** A list has an element for each of its items. */
function markupOf(name: string, value: unknown): Markup[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((item: unknown) => markupOf(name, item));
  return [typeof value === "object" ? element(name, {}, ...fields(value)) : element(name, {}, String(value))];
}
