import type { Filter } from "../store/jobs.ts";
import { isPhase, type Phase } from "../store/phases.ts";
import { readUtc } from "./times.ts";

/** What a query asks of a list, or why that cannot be answered. */
export type ReadFilters = Pick<Filter, "phases" | "after" | "last"> | { readonly problem: string };

/** PHASE, AFTER and LAST of UWS 1.1, section 2.2.2.1; their names are without case, and others do not matter. */
export function readFilters(query: URLSearchParams): ReadFilters {
  const phases = valuesOf(query, "phase");
  const after = valuesOf(query, "after");
  const last = valuesOf(query, "last");
  if (!phases.every(isPhase)) return { problem: "PHASE must be one of the phases of UWS, in capitals." };
  if (after.length > 1 || last.length > 1) return { problem: "AFTER and LAST can be given once." };
  const since = after[0] === undefined ? null : readUtc(after[0]);
  if (after.length > 0 && since === null)
    return { problem: "AFTER must be an ISO 8601 time, UTC: 2026-05-01T09:30:00Z" };
  const newest = last[0] === undefined ? null : readLast(last[0]);
  if (last.length > 0 && newest === null) return { problem: "LAST must be a whole number above 0." };
  return { phases: phases satisfies readonly Phase[], after: since, last: newest };
}

/** All that is given under a name, whose case does not count. */
export const valuesOf = (query: URLSearchParams, name: string): string[] =>
  [...query].flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []));

function readLast(text: string): number | null {
  if (!/^\+?\d+$/.test(text)) return null;
  const number = Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  return number > 0 ? number : null;
}
