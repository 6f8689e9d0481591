/** A poll that took longer had to wait for a message: it tells nothing of the way to the queue and back. */
const LONGEST_ROUND_TRIP_MS = 100;

/**
 * Waits for slots that will be free in a moment. Where jobs are short beside the way to the queue, a poll for the slots
 * that are free is answered only after the jobs in the others have ended, and their slots then wait for that poll and
 * for one of their own: one poll for all of them costs less, and no time.
 */
export class Gathering {
  /** Whether the last answer was all that was asked for: then there is more. */
  #isPlentiful = false;
  /** Milliseconds: what the poll under way and one of their own would take. */
  #mostMs = 0;
  #until = Number.NEGATIVE_INFINITY;

  answered(started: number, max: number, tookMs: number): void {
    this.#isPlentiful = started === max;
    if (started > 0 && tookMs <= LONGEST_ROUND_TRIP_MS) this.#mostMs = 2 * tookMs;
    this.#until = Number.NEGATIVE_INFINITY;
  }

  /** When it is over, whatever ends till then; in the past: there is none. */
  get until(): number {
    return this.#until;
  }

  /** Whether a poll for what is free now is to wait. `endWithin`: whether more is likely to be free within a time. */
  goesOn(now: number, endWithin: (milliseconds: number) => boolean): boolean {
    const isWorthIt = this.#isPlentiful && endWithin(this.#mostMs);
    if (isWorthIt && this.#until === Number.NEGATIVE_INFINITY) this.#until = now + this.#mostMs;
    return isWorthIt && now < this.#until;
  }
}
