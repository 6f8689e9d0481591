import { safe } from "../../config/wording.ts";

export { escaped, safe } from "../../config/wording.ts";

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** What is {@link safe} on as many lines as it has. */
export const safeLines = (text: string): string => text.split("\n").map(safe).join("\n");

/** An argv as a shell takes it. */
export const shellLine = (argv: readonly string[]): string => argv.map(shellWord).join(" ");

const shellWord = (word: string): string =>
  PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** `1 job`, `2 jobs`. */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;
