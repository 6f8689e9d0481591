const DATE = String.raw`(?<year>\d{4})(?:-?(?<month>\d{2})(?:-?(?<day>\d{2}))?)?`;
const TIME = String.raw`(?<hour>\d{2})(?::?(?<minute>\d{2})(?::?(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?)?`;
const FORM = new RegExp(`^${DATE}(?:[T ]${TIME}(?<zone>Z|[+-]\\d{2}:?\\d{2})?)?$`, "i");

/** A point in time, and whether it was said to be so far from UTC. */
export interface ReadTime {
  /** Milliseconds since 1970; what is finer is cut off, since no time is printed finer. */
  readonly at: number;
  readonly hasOffset: boolean;
}

/** An ISO 8601 time of any precision (`2026`, `20260501`, `2026-05-01 09:30`), UTC unless it says otherwise; null: it is none. */
export function readTime(text: string): ReadTime | null {
  const parts = FORM.exec(text.trim())?.groups;
  const at = parts === undefined ? Number.NaN : toTime(parts);
  if (!Number.isFinite(at)) return null;
  const zone = parts?.["zone"]?.toUpperCase() ?? "Z";
  return { at, hasOffset: zone !== "Z" };
}

/** The same for UWS, which knows no time but UTC. */
export function readUtc(text: string): number | null {
  const time = readTime(text);
  return time === null || time.hasOffset ? null : time.at;
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
