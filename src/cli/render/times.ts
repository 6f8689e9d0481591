import { formatDuration } from "../../config/durations.ts";
import { isoTime } from "../../uws/document.ts";

/** How long ago it was, or how soon it will be: `3m12s ago`, `in 2h05m`. */
export function relative(at: number, now: number): string {
  return at > now ? `in ${formatDuration(at - now)}` : `${formatDuration(now - at)} ago`;
}

/** The time, and how far it is from now. */
export const timeAndAge = (at: number, now: number): string => `${isoTime(at)} (${relative(at, now)})`;

/** How long it took, or has been going on; empty if it has not begun. */
export function span(from: number | null, to: number | null, now: number): string {
  return from === null ? "" : formatDuration(Math.max(0, (to ?? now) - from));
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number of bytes for people. */
export function byteSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${UNITS[power]}`;
}
