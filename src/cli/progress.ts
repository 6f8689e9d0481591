import type { WorkerEvent } from "../events.ts";
import type { Store } from "../store/store.ts";

/** Milliseconds between two looks of the eye at it. */
const REDRAW_MS = 120;
/** Milliseconds between two counts of what is left, which walk an index. */
const RECOUNT_MS = 2000;

export interface ProgressOptions {
  readonly store: Store;
  /** A line that is drawn again and again; else nothing until the end. */
  readonly live: boolean;
  /** Whether an end is in sight, which then gets a summary. */
  readonly ends: boolean;
}

/** How far a worker has come, on stderr. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #counts = { completed: 0, failed: 0, running: 0 };
  readonly #timer: NodeJS.Timeout | undefined;
  #queued = 0;
  #countedAt = Number.NEGATIVE_INFINITY;
  #doneAtCount = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
    if (options.live && options.ends) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  take(event: WorkerEvent): void {
    if (event.type === "job started") this.#counts.running += 1;
    if (event.type !== "job ended") return;
    this.#counts.running = Math.max(0, this.#counts.running - 1);
    if (event.settlement.phase === "COMPLETED") this.#counts.completed += 1;
    else if (event.settlement.phase !== "QUEUED") this.#counts.failed += 1;
  }

  #draw(): void {
    const { completed, failed, running } = this.#counts;
    const done = completed + failed;
    if (performance.now() - this.#countedAt > RECOUNT_MS) this.#count(done);
    const left = Math.max(0, this.#queued - (done - this.#doneAtCount));
    const share = done + left === 0 ? 0 : Math.floor((100 * done) / (done + left + running));
    process.stderr.write(`\r\u001b[K${share}%  ${done} done, ${failed} failed, ${running} running, ${left} queued`);
  }

  #count(done: number): void {
    this.#queued = this.#options.store.jobs.countByPhase().get("QUEUED") ?? 0;
    this.#countedAt = performance.now();
    this.#doneAtCount = done;
  }

  finish(): void {
    clearInterval(this.#timer);
    if (!this.#timer) return;
    const { completed, failed } = this.#counts;
    process.stderr.write(`\r\u001b[K${completed} completed, ${failed} failed\n`);
  }
}
