import { shown } from "../config/wording.ts";
import { usageError } from "../errors.ts";

const DATE = String.raw`(?<year>\d{4})(?:-?(?<month>\d{2})(?:-?(?<day>\d{2}))?)?`;
const TIME = String.raw`(?<hour>\d{2})(?::?(?<minute>\d{2})(?::?(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?)?`;
const FORM = new RegExp(`^${DATE}(?:[T ]${TIME}(?<zone>Z|[+-]\\d{2}:?\\d{2})?)?$`, "i");

/**
 * Milliseconds since 1970 of an ISO 8601 time of any precision (`2026`, `2026-05-01 09:30`); UTC unless it says
 * otherwise.
 *
 * @throws ReeveError (usage) for what is none.
 */
export function parseTime(setting: string, text: string): number {
  const parts = FORM.exec(text.trim())?.groups;
  const at = parts === undefined ? Number.NaN : toTime(parts);
  if (Number.isFinite(at)) return at;
  throw usageError(`${setting}: ${shown(text)} is not a time`, "write it as 2026-05-01 or 2026-05-01T09:30:00Z");
}

function toTime(parts: Readonly<Record<string, string | undefined>>): number {
  const { year = "", month = "01", day = "01", hour = "00", minute = "00", second = "00", fraction = "0" } = parts;
  const date = `${year}-${month}-${day}`;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // The 30th of February would be taken for the 1st of March.
  if (!Number.isFinite(midnight) || !new Date(midnight).toISOString().startsWith(date)) return Number.NaN;
  const milliseconds = fraction.padEnd(3, "0").slice(0, 3);
  return Date.parse(`${date}T${hour}:${minute}:${second}.${milliseconds}${zoneOf(parts["zone"])}`);
}

function zoneOf(zone: string | undefined): string {
  if (zone === undefined) return "Z";
  return zone.toUpperCase().replace(/^([+-]\d{2})(\d{2})$/, "$1:$2");
}
