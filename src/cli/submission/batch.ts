import { ReeveError, usageError } from "../../errors.ts";
import type { NewJob } from "../../store/submission.ts";
import { readLine } from "./batch-line.ts";
import { newJob, type Surroundings } from "./build.ts";
import type { JobRequest } from "./request.ts";

/** More bad lines than this are only counted. */
const SHOWN_PROBLEMS = 10;

/**
 * The jobs of a batch, one for each line that is not blank, in their order.
 *
 * @throws ReeveError (usage) that names every line which is wrong; then none is to be submitted.
 */
export function readBatch(source: string, bytes: Uint8Array, around: Surroundings): NewJob[] {
  return new Batch(source, around).read(linesOf(source, bytes));
}

function linesOf(source: string, bytes: Uint8Array): string[] {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).split("\n");
  } catch {
    throw usageError(`${source}: the file is not valid UTF-8; nothing was submitted`);
  }
}

class Batch {
  readonly #source: string;
  readonly #around: Surroundings;
  readonly #idOutside: Surroundings["idOf"];
  readonly #ids = new Map<string, { readonly id: string; readonly line: number }>();
  readonly #problems: string[] = [];

  constructor(source: string, around: Surroundings) {
    this.#source = source;
    this.#idOutside = around.idOf;
    this.#idOutside = around.idOf;
    this.#around = { ...around, idOf: (text) => this.#idOf(text) };
  }

  read(lines: readonly string[]): NewJob[] {
    const jobs = lines.flatMap((line, index) => (line.trim() === "" ? [] : this.#readOne(line, index + 1)));
    if (this.#problems.length > 0) throw this.#refusal();
    return jobs;
  }

  #readOne(text: string, line: number): NewJob[] {
    try {
      return [this.#jobOf(readLine(text), line)];
    } catch (error) {
      if (!(error instanceof ReeveError)) throw error;
      this.#problems.push(`${this.#source}:${line}: ${error.message}${error.hint ? ` (${error.hint})` : ""}`);
      return [];
    }
  }

  #jobOf(request: JobRequest, line: number): NewJob {
    const id = this.#around.newId();
    try {
      this.#refuseSecond(request.name);
      return newJob(request, { ...this.#around, newId: () => id });
    } finally {
      // Of a wrong line, too, so that it does not make those wrong that wait for it.
      if (request.name !== null && !this.#ids.has(request.name)) this.#ids.set(request.name, { id, line });
    }
  }

  #refuseSecond(name: string | null): void {
    const earlier = name === null ? undefined : this.#ids.get(name);
    if (earlier) throw usageError(`the name ${JSON.stringify(name)} is already that of line ${earlier.line}`);
  }

  #idOf(text: string): string {
    const named = this.#ids.get(text);
    return named?.id ?? this.#idOutside(text);
  }

  #refusal(): ReeveError {
    const count = this.#problems.length;
    const shown = this.#problems.slice(0, SHOWN_PROBLEMS);
    const more = count > shown.length ? [`… and ${count - shown.length} more`] : [];
    const what = count === 1 ? "one line is wrong" : `${count} lines are wrong`;
    return usageError([`nothing was submitted, since ${what}:`, ...shown, ...more].join("\n  "));
  }
}
