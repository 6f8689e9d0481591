const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};
const FORM = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i;
const LONGEST_TEXT = 40;

/**
 * A size in bytes: a number, or a text with a unit (`512MB`, `1.5GB`, `64KiB`), whose case does not count. As in the
 * SI a KB has 1000 bytes, and a KiB 1024. `K`, `M` and `G` alone mean either, depending on whom one asks, so that they
 * are refused.
 *
 * @throws Error with a sentence, if it is none, is negative, or is too large to count.
 */
export function parseSize(given: string | number): number {
  const bytes = Math.round(typeof given === "number" ? given : amountOf(given.trim()));
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  const text = String(given);
  const quoted = JSON.stringify(text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text);
  throw new Error(`${quoted} is not a size; write it as "512MB", "1.5GB", "64KiB" or a number of bytes`);
}

function amountOf(text: string): number {
  if (text.length > LONGEST_TEXT) return Number.NaN;
  const [, amount, unit = ""] = FORM.exec(text) ?? [];
  return Number(amount) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
}
