import { messageOf } from "../errors.ts";
import type { Heard, Progress } from "../process/port.ts";
import type { ActiveJob } from "./active-job.ts";
import { timeLimits } from "./launch.ts";
import type { Ports } from "./ports.ts";

/** Between two records of what one job says: it may say more than anybody reads. */
const RECORD_EVERY_MS = 150;
/** So long a record waits for other writes, to share their commit. */
const SHARE_WITHIN_MS = 10;

/** Passes on what a job says while it runs: its log lines to ours, its progress to the store, its wish for time to its timers. */
export class Hearing {
  readonly #active: ActiveJob;
  readonly #ports: Ports;
  #progress: Progress | null = null;
  #allowedMs: number | null = null;
  #heard = 0;
  /** What is not recorded yet. */
  #isNews = false;
  /** A record is under way, or has just been made. */
  #rests = false;
  #isOver = false;
  #cancel = (): void => {};

  constructor(active: ActiveJob, ports: Ports) {
    this.#active = active;
    this.#ports = ports;
  }

  begin(): void {
    const { slot, adopted } = this.#active.started;
    slot.listen((heard) => this.#take(heard), adopted?.heard ?? 0);
  }

  /** What comes now is recorded with its end, or heard by its next worker. */
  stop(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #take({ progress, deadlineSeconds, log, upTo }: Heard): void {
    const { job, outlives } = this.#active.started;
    const name = { job: job.id, attempt: job.attempts };
    // Also after its end: nobody else is told of these.
    for (const { level, message } of log) this.#ports.emit({ type: "job said", ...name, level, said: message });
    if (this.#isOver) return;
    if (deadlineSeconds !== null) this.#move(deadlineSeconds * 1000);
    this.#progress = progress ?? this.#progress;
    this.#heard = upTo;
    // What only went to the log is of interest to a next worker alone.
    if (progress !== null || deadlineSeconds !== null || outlives) this.#record();
  }

  /** What is left of the job's executionDuration ends it all the same. */
  #move(milliseconds: number): void {
    const { started, ranMs } = this.#active;
    this.#active.mayRunFor(milliseconds);
    this.#allowedMs = Math.round(Math.min(ranMs + milliseconds, timeLimits(started).overrunMs));
  }

  /** Nothing piles up where the store cannot be written for a while. */
  #record(): void {
    this.#isNews = true;
    if (this.#rests || this.#isOver) return;
    this.#isNews = false;
    this.#rests = true;
    void this.#write().then(() => {
      if (!this.#isOver) this.#cancel = this.#ports.clock.after(RECORD_EVERY_MS, () => this.#goOn());
    });
  }

  async #write(): Promise<void> {
    const { store, emit } = this.#ports;
    const { job } = this.#active.started;
    const report = { progress: this.#progress, heard: this.#heard, allowedMs: this.#allowedMs };
    try {
      await store.write(() => store.reports.take(job, report), SHARE_WITHIN_MS);
    } catch (error) {
      emit({ type: "trouble", what: `what job ${job.id} says was not recorded: ${messageOf(error)}` });
    }
  }

  #goOn(): void {
    this.#rests = false;
    if (this.#isNews) this.#record();
  }
}
