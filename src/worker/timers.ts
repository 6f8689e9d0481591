import type { Clock } from "../clock.ts";

interface Timer {
  leftMs: number;
  since: number;
  readonly callback: () => void;
  cancel: () => void;
}

/** Timers of one job, which stand still as long as the job does. */
export class Timers {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #pausedAt: number | null = null;
  #pausedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds that they have stood still in all. */
  get pausedMs(): number {
    return this.#pausedMs + (this.#pausedAt === null ? 0 : this.#clock.monotonic() - this.#pausedAt);
  }

  /** Gives the way to call it off. */
  after(milliseconds: number, callback: () => void): () => void {
    const timer: Timer = { leftMs: milliseconds, since: 0, callback, cancel: () => {} };
    this.#timers.add(timer);
    if (this.#pausedAt === null) this.#arm(timer);
    return () => {
      timer.cancel();
      this.#timers.delete(timer);
    };
  }

  #arm(timer: Timer): void {
    timer.since = this.#clock.monotonic();
    timer.cancel = this.#clock.after(timer.leftMs, () => {
      this.#timers.delete(timer);
      timer.callback();
    });
  }

  pause(): void {
    if (this.#pausedAt !== null) return;
    this.#pausedAt = this.#clock.monotonic();
    for (const timer of this.#timers) {
      timer.cancel();
      timer.leftMs = Math.max(0, timer.leftMs - (this.#pausedAt - timer.since));
    }
  }

  resume(): void {
    if (this.#pausedAt === null) return;
    this.#pausedMs += this.#clock.monotonic() - this.#pausedAt;
    this.#pausedAt = null;
    for (const timer of this.#timers) this.#arm(timer);
  }

  cancel(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
