import type { Clock } from "../clock.ts";
import type { StopOrder } from "../process/port.ts";

/** A further signal within so many milliseconds is the same stop: terminals, npm and systemd send several. */
const SAME_STOP_MS = 2000;
/** What is kept of the budget to kill and to record. */
const RESERVE_MS = 2000;
/** A timer may fire so much too early by the monotonic clock, and nobody would wake us again. */
const EARLY_MS = 5;

/** How the worker comes to its end. It only notes and wakes; the worker's loop decides. */
export class Stop {
  readonly #clock: Clock;
  readonly #budgetMs: number;
  readonly #wake: () => void;
  readonly #asked = Promise.withResolvers<void>();
  #askedAt: number | null = null;
  #hurriedAt: number | null = null;
  #signal: StopOrder["signal"] | null = null;
  readonly #timers: (() => void)[] = [];
  #finishing = false;
  #fault: { readonly of: unknown } | null = null;

  constructor(clock: Clock, budgetMs: number, wake: () => void) {
    this.#clock = clock;
    this.#budgetMs = budgetMs;
    this.#wake = wake;
  }

  /** The first is the stop, one soon after is the same, a later one means now. */
  ask(signal: StopOrder["signal"] | null = null): "first" | "same" | "now" {
    const now = this.#clock.monotonic();
    if (this.#askedAt !== null) return now - this.#askedAt < SAME_STOP_MS ? "same" : this.#hurry(now);
    this.#signal = signal;
    this.#askedAt = now;
    this.#asked.resolve();
    this.#timers.push(
      this.#clock.after(this.#budgetMs - RESERVE_MS, this.#wake),
      this.#clock.after(this.#budgetMs + EARLY_MS, this.#wake),
    );
    this.#wake();
    return "first";
  }

  #hurry(now: number): "now" {
    if (this.#hurriedAt === null) this.#timers.push(this.#clock.after(RESERVE_MS + EARLY_MS, this.#wake));
    this.#hurriedAt ??= now;
    this.#wake();
    return "now";
  }

  /** The worker has ended: its budget keeps the process no longer. */
  close(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** What runs may end; nothing more is taken. */
  finish(): void {
    this.#finishing = true;
    this.#wake();
  }

  /** The worker itself cannot go on. */
  readonly fault = (error: unknown): void => {
    this.#fault ??= { of: error };
    this.#wake();
  };

  get isAsked(): boolean {
    return this.#askedAt !== null;
  }

  /** What the jobs are to be sent first; null: each its own stop signal. */
  get signal(): StopOrder["signal"] | null {
    return this.#signal;
  }

  /** Nothing more is to be taken. */
  get isClosing(): boolean {
    return this.isAsked || this.#finishing || this.#fault !== null;
  }

  get faulted(): { readonly of: unknown } | null {
    return this.#fault;
  }

  /** The budget is used up: what still runs is left to the next worker's recovery. */
  get isOverdue(): boolean {
    return this.#askedAt !== null && this.#clock.monotonic() - this.#askedAt >= this.#budgetMs;
  }

  /** No more time is spent on what other workers left: the budget is used up, or the stop was to be at once. */
  get isPressing(): boolean {
    const isHurried = this.#hurriedAt !== null && this.#clock.monotonic() - this.#hurriedAt >= RESERVE_MS;
    return isHurried || this.isOverdue;
  }

  /** Only the time to kill and to record is left, also for a job whose longer grace began before the stop. */
  get isShort(): boolean {
    return this.graceLeftMs === 0;
  }

  /** Milliseconds that a job may take between the stop signal and KILL. */
  get graceLeftMs(): number {
    if (this.#askedAt === null) return Number.POSITIVE_INFINITY;
    if (this.#hurriedAt !== null) return 0;
    return Math.max(0, this.#askedAt + this.#budgetMs - RESERVE_MS - this.#clock.monotonic());
  }

  /** Whether a stop is asked for now or within so many milliseconds. */
  async within(milliseconds: number): Promise<boolean> {
    if (this.isAsked) return true;
    const time = Promise.withResolvers<void>();
    const cancel = this.#clock.after(milliseconds, time.resolve);
    await Promise.race([this.#asked.promise, time.promise]);
    cancel();
    return this.isAsked;
  }
}
