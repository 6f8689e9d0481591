import type { Clock } from "../clock.ts";

/** What the worker's loop sleeps on. A wake that comes while it is busy is not lost: the next sleep ends at once. */
export class Wake {
  readonly #clock: Clock;
  #awake = false;
  #resume: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly call = (): void => {
    this.#awake = true;
    this.#resume?.();
  };

  /** Until called, or until so many milliseconds have passed. Gives whether it was called. */
  async sleep(milliseconds: number): Promise<boolean> {
    if (!this.#awake) await this.#wait(milliseconds);
    const called = this.#awake;
    this.#awake = false;
    return called;
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = Number.isFinite(milliseconds) ? this.#clock.after(milliseconds, () => this.#resume?.()) : null;
      this.#resume = () => {
        this.#resume = null;
        cancel?.();
        resolve();
      };
    });
  }
}
