import { ReeveError, usageError } from "../../errors.ts";

/** More bad lines than this are only counted. */
const SHOWN_PROBLEMS = 10;

/** Where a batch comes from, as messages call it, and what is in it. */
export interface BatchSource {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What was made of one line, and its number. */
export interface FromLine<T> {
  readonly line: number;
  readonly value: T;
}

/**
 * Makes one thing of each line that is not blank, in their order.
 *
 * @throws ReeveError (usage) that names every line which is wrong; then none is to be submitted.
 */
export function readLines<T>(source: BatchSource, read: (text: string, line: number) => T): FromLine<T>[] {
  const problems: string[] = [];
  const readOne = (text: string, line: number): FromLine<T>[] => {
    try {
      return [{ line, value: read(text, line) }];
    } catch (error) {
      if (!(error instanceof ReeveError)) throw error;
      problems.push(`${source.name}:${line}: ${error.message}${error.hint ? ` (${error.hint})` : ""}`);
      return [];
    }
  };
  const all = linesOf(source).flatMap((text, index) => (text.trim() === "" ? [] : readOne(text, index + 1)));
  if (problems.length > 0) throw refusal(problems);
  return all;
}

function linesOf({ name, bytes }: BatchSource): string[] {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).split("\n");
  } catch {
    throw usageError(`${name}: the file is not valid UTF-8; nothing was submitted`);
  }
}

function refusal(problems: readonly string[]): ReeveError {
  const count = problems.length;
  const shown = problems.slice(0, SHOWN_PROBLEMS);
  const more = count > shown.length ? [`… and ${count - shown.length} more`] : [];
  const what = count === 1 ? "one line is wrong" : `${count} lines are wrong`;
  return usageError([`nothing was submitted, since ${what}:`, ...shown, ...more].join("\n  "));
}
