/** The longest text, in bytes of UTF-8, that Linux takes as one argument: 128 KiB with the NUL that ends it. */
export const LONGEST_ARGUMENT = 131_071;

const encoder = new TextEncoder();

/** Why a text cannot be handed to a program as it is (`holds a NUL`), or null if it can. */
export function argumentProblem(text: string): string | null {
  if (text.includes("\0")) return "holds a NUL, which no argument can";
  if (!text.isWellFormed()) return "holds half of a surrogate pair, which is no text";
  if (isTooLong(text)) return `is longer than the ${LONGEST_ARGUMENT} bytes that one argument can have`;
  return null;
}

function isTooLong(text: string): boolean {
  if (text.length > LONGEST_ARGUMENT) return true;
  // No character takes more than three bytes per UTF-16 unit, so most texts need not be encoded to be measured.
  return text.length * 3 > LONGEST_ARGUMENT && encoder.encode(text).length > LONGEST_ARGUMENT;
}
