import type { Clock } from "../../src/clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that stands still until it is moved on. */
export class FakeClock implements Clock {
  #now: number;
  #sleptMs = 0;
  #timers: Timer[] = [];
  #soon: (() => void)[] = [];

  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  boottime(): number {
    return this.#now + this.#sleptMs;
  }

  /** The machine sleeps: no timer sees it, and only the clock that runs on shows it. */
  sleepOn(milliseconds: number): void {
    this.#sleptMs += milliseconds;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, milliseconds), callback };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((one) => one !== timer));
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** How many milliseconds the timers that are set still have to wait. */
  get waits(): number[] {
    return this.#timers.map(({ at }) => at - this.#now);
  }

  /** Takes in the events of this moment. */
  settle(): void {
    for (let callbacks = this.#soon; callbacks.length > 0; callbacks = this.#soon) {
      this.#soon = [];
      for (const callback of callbacks) callback();
    }
  }

  /** Lets so much time pass; what is due on the way is called in its order, and what it sets off is given a turn. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    this.settle();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = next.at;
      this.#timers = this.#timers.filter((one) => one !== next);
      next.callback();
      await takeTurns();
      this.settle();
    }
    this.#now = end;
    await takeTurns();
  }
}

/** Lets everything run that waits for kept promises only. */
export async function takeTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
