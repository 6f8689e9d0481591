const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const AMOUNT = String.raw`(\d+(?:\.\d+)?)`;
const PARTS = new RegExp(`^(?:${AMOUNT}d)?(?:${AMOUNT}h)?(?:${AMOUNT}m)?(?:${AMOUNT}s)?(?:${AMOUNT}ms)?$`);
const PLAIN = new RegExp(`^${AMOUNT}$`);
const LONGEST_TEXT = 40;

/**
 * A duration in milliseconds. A text is a sum of parts from the largest unit to the smallest (`2h30m`, `500ms`, `7d`);
 * a number, or a text that is only one, counts seconds. 0 is a duration.
 *
 * @throws Error with a sentence, if it is none, is negative, or is too long to count.
 */
export function parseDuration(text: string | number): number {
  const milliseconds = typeof text === "number" ? text * UNITS.s : sumOfParts(text.trim());
  const rounded = Math.round(milliseconds);
  if (Number.isSafeInteger(rounded) && milliseconds >= 0) return rounded;
  throw new Error(`${quoted(text)} is not a duration; write it as "10m", "2h30m", "500ms" or a number of seconds.`);
}

function sumOfParts(text: string): number {
  if (text === "" || text.length > LONGEST_TEXT) return Number.NaN;
  if (PLAIN.test(text)) return Number(text) * UNITS.s;
  const amounts = PARTS.exec(text)?.slice(1);
  if (amounts === undefined) return Number.NaN;
  const sizes = Object.values(UNITS);
  return amounts.reduce((sum, amount, index) => sum + Number(amount ?? 0) * (sizes[index] ?? Number.NaN), 0);
}

function quoted(text: string | number): string {
  const whole = String(text);
  return JSON.stringify(whole.length > LONGEST_TEXT ? `${whole.slice(0, LONGEST_TEXT)}…` : whole);
}

/**
 * A number of milliseconds for people: `350ms`, `1.2s`, `3m12s`, `2h05m`, `3d04h`. What is smaller than the last place
 * is cut off, so that a time that is shown has passed.
 */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 0) return `-${formatDuration(-milliseconds)}`;
  if (milliseconds < UNITS.s) return `${Math.floor(milliseconds)}ms`;
  if (milliseconds < UNITS.m) return `${Math.floor(milliseconds / 100) / 10}s`;
  if (milliseconds < UNITS.h) return pair(milliseconds, "m", "s");
  if (milliseconds < UNITS.d) return pair(milliseconds, "h", "m");
  return pair(milliseconds, "d", "h");
}

function pair(milliseconds: number, large: keyof typeof UNITS, small: keyof typeof UNITS): string {
  const rest = Math.floor((milliseconds % UNITS[large]) / UNITS[small]);
  return `${Math.floor(milliseconds / UNITS[large])}${large}${String(rest).padStart(2, "0")}${small}`;
}
