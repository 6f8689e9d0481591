import type { Job } from "../store/job.ts";
import { shortId } from "./ids.ts";
import { progressOf } from "./render/job-table.ts";
import { cut } from "./render/table.ts";

/** Where the terminal does not say. */
const USUAL_COLUMNS = 80;
const CLEAR = "\r\u001b[K";

/** How far a job has come that is waited for, on one line of the terminal; nowhere else. */
export class WaitProgress {
  readonly #isShown: boolean;
  #line = "";

  constructor(quiet: boolean) {
    this.#isShown = process.stderr.isTTY === true && !quiet;
  }

  readonly see = (job: Job): void => {
    if (this.#isShown) this.#draw(job.progress === null ? "" : `${shortId(job.id)}  ${progressOf(job, job.progress)}`);
  };

  /** What comes next has the line for itself. */
  end(): void {
    this.#draw("");
  }

  #draw(text: string): void {
    const line = cut(text, (process.stderr.columns || USUAL_COLUMNS) - 1);
    if (line === this.#line) return;
    this.#line = line;
    process.stderr.write(CLEAR + line);
  }
}
