import { usageError } from "../../errors.ts";
import type { NewJob } from "../../store/submission.ts";
import { readLine } from "./batch-line.ts";
import { newJob, type Surroundings } from "./build.ts";
import { readLines, type BatchSource } from "./lines.ts";
import type { JobRequest } from "./request.ts";

/**
 * The jobs of a batch, one for each line that is not blank, in their order.
 *
 * @throws ReeveError (usage) that names every line which is wrong; then none is to be submitted.
 */
export function readBatch(source: BatchSource, around: Surroundings): NewJob[] {
  const batch = new Batch(around);
  return readLines(source, (text, line) => batch.jobOf(readLine(text), line)).map(({ value }) => value);
}

/** Knows the names that lines give their jobs. */
class Batch {
  readonly #around: Surroundings;
  readonly #idOutside: Surroundings["idOf"];
  readonly #ids = new Map<string, { readonly id: string; readonly line: number }>();

  constructor(around: Surroundings) {
    this.#idOutside = around.idOf;
    this.#around = { ...around, idOf: (text) => this.#idOf(text) };
  }

  jobOf(request: JobRequest, line: number): NewJob {
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
}
