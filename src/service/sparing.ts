import type { Clock } from "../clock.ts";

/** A value is kept for so many times as long as it took to make. */
const FACTOR = 20;
const MOST_KEPT = 200;

/** Values that cost something: at most a twentieth of the time is spent on making one of them anew. */
export class Sparing<T> {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #kept = new Map<string, { readonly value: T; readonly until: number }>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** `leastMs`: so long it is kept in any case. */
  get(key: string, make: () => T, leastMs: (value: T) => number = () => 0): T {
    const from = this.#clock.monotonic();
    const kept = this.#kept.get(key);
    if (kept && kept.until > from) return kept.value;
    const value = make();
    const to = this.#clock.monotonic();
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(key, { value, until: to + Math.max((to - from) * FACTOR, leastMs(value)) });
    return value;
  }
}
