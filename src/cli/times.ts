import { shown } from "../config/wording.ts";
import { usageError } from "../errors.ts";
import { readTime } from "../uws/times.ts";

/**
 * Milliseconds since 1970 of an ISO 8601 time of any precision (`2026`, `2026-05-01 09:30`); UTC unless it says
 * otherwise.
 *
 * @throws ReeveError (usage) for what is none.
 */
export function parseTime(setting: string, text: string): number {
  const time = readTime(text);
  if (time !== null) return time.at;
  throw usageError(`${setting}: ${shown(text)} is not a time`, "write it as 2026-05-01 or 2026-05-01T09:30:00Z");
}
