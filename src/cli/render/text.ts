// Codes that a terminal acts on, and those that turn the direction of text.
const UNSAFE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** Text that came from outside, on one line, with nothing in it that a terminal would act on. */
export function safe(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").replaceAll(UNSAFE, escaped);
}

/** The same on as many lines as it has. */
export const safeLines = (text: string): string => text.split("\n").map(safe).join("\n");

/** A character as it is shown where it must not act. */
export const escaped = (character: string): string =>
  character === "\t" ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** An argv as a shell takes it. */
export const shellLine = (argv: readonly string[]): string => argv.map(shellWord).join(" ");

const shellWord = (word: string): string =>
  PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** `1 job`, `2 jobs`. */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;
