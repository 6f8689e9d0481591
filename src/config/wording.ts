const LONGEST_SHOWN = 60;
// Codes that a terminal acts on or that turn the direction of text, and that JSON.stringify leaves as they are.
const UNSEEN = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A text that came from outside, in quotes, cut to what fits into a sentence, with control codes escaped. */
export function shown(text: string): string {
  const cut = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
  return JSON.stringify(cut).replaceAll(UNSEEN, escaped);
}

// Codes that a terminal acts on, and those that turn the direction of text.
const UNSAFE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text that came from outside, on one line, with nothing in it that a terminal would act on. */
export function safe(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").replaceAll(UNSAFE, escaped);
}

/** A character as it is shown where it must not act. */
export const escaped = (character: string): string =>
  character === "\t" ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** `, did you mean \`timeout\`?` for the candidate that the word was most likely meant to be; else nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? "" : `, did you mean \`${meant}\`?`;
}

/** The candidate that is the fewest typing mistakes away, case not counted, if those are few for its length. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = mistakes(word, candidate);
    if (distance <= allowance(candidate) && distance < (best?.distance ?? Infinity)) best = { candidate, distance };
  }
  return best?.candidate;
}

const allowance = (candidate: string): number => Math.min(3, Math.max(1, Math.floor(candidate.length / 3)));

function mistakes(word: string, candidate: string): number {
  if (Math.abs(word.length - candidate.length) > allowance(candidate)) return Infinity;
  return editDistance(word.toLowerCase(), candidate.toLowerCase());
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = nextRow(from, to, row, last, beforeLast);
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? Infinity;
}

function nextRow(from: string, to: string, row: number, last: number[], beforeLast: number[]): number[] {
  const current = [row];
  for (let column = 1; column <= to.length; column++) {
    const replaced = at(last, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
    const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
    const exchanged = swapped ? at(beforeLast, column - 2) + 1 : Infinity;
    current.push(Math.min(at(last, column) + 1, at(current, column - 1) + 1, replaced, exchanged));
  }
  return current;
}

const at = (row: number[], column: number): number => row[column] ?? Infinity;

/** The last line of what a program wrote, as the end of a sentence; empty if it wrote nothing. */
export function lastWords(output: string): string {
  const last = output.trim().split("\n").at(-1) ?? "";
  return last === "" ? "" : `, and wrote last: ${shown(last)}`;
}
