export interface BackoffLimits {
  /** Milliseconds: the longest the first pause can be; each further one can be twice as long. */
  readonly baseMs: number;
  /** No pause is longer. */
  readonly capMs: number;
  /** No pause is shorter: chance must not make a loop spin. */
  readonly floorMs: number;
}

/** Between polls that fail: for as long as it takes. */
export const POLL_BACKOFF: BackoffLimits = { baseMs: 500, capMs: 30_000, floorMs: 100 };

/** Within one call, which has to end well before the lease does. */
export const CALL_BACKOFF: BackoffLimits = { baseMs: 200, capMs: 2000, floorMs: 20 };

/** Where nothing would double any more (2^32 × base is beyond every cap). */
const MOST_DOUBLINGS = 32;

/**
 * Pauses between tries: exponential, with full jitter, so that many workers that failed together do not come back
 * together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;

  /** @param random gives numbers from 0 up to, not including, 1 */
  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Counts a failure; gives how many milliseconds to wait before the next try. */
  failed(): number {
    const { baseMs, capMs, floorMs } = this.#limits;
    const longest = Math.min(capMs, baseMs * 2 ** Math.min(this.#failures, MOST_DOUBLINGS));
    this.#failures += 1;
    return floorMs + this.#random() * Math.max(0, longest - floorMs);
  }

  /** The next failure is a first one again. */
  succeeded(): void {
    this.#failures = 0;
  }
}
