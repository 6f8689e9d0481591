import type { Clock } from "../clock.ts";

/** Wrong tries of one key within so many milliseconds, after which no more are taken until they are over. */
const MOST = 10;
const WINDOW_MS = 60_000;
/** Keys that are remembered: strangers make them up. */
const MOST_KEYS = 10_000;

interface Tries {
  readonly since: number;
  readonly count: number;
}

/** Counts what went wrong, so that nobody can try for long. */
export class Failures {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #tries = new Map<string, Tries>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** 0: it may be tried now. */
  secondsToWait(key: string): number {
    const tries = this.#current(key);
    if (!tries || tries.count < MOST) return 0;
    return Math.max(1, Math.ceil((tries.since + WINDOW_MS - this.#clock.monotonic()) / 1000));
  }

  add(key: string): void {
    const { since, count } = this.#current(key) ?? { since: this.#clock.monotonic(), count: 0 };
    if (this.#tries.size >= MOST_KEYS) this.#tries.clear();
    this.#tries.set(key, { since, count: count + 1 });
  }

  #current(key: string): Tries | undefined {
    const tries = this.#tries.get(key);
    if (!tries || this.#clock.monotonic() - tries.since < WINDOW_MS) return tries;
    this.#tries.delete(key);
    return undefined;
  }
}
