import type { Clock } from "../clock.ts";

interface Job {
  readonly started: { readonly startedAt: number };
}

/** Whether jobs will have ended in a moment: taken from how long the last one had its slot. */
export class ShortJobs {
  readonly #active: ReadonlySet<Job>;
  readonly #clock: Pick<Clock, "now">;
  #lastMs = Number.POSITIVE_INFINITY;

  constructor(active: ReadonlySet<Job>, clock: Pick<Clock, "now">) {
    this.#active = active;
    this.#clock = clock;
  }

  ended(active: Job): void {
    this.#lastMs = this.#ageOf(active);
  }

  #ageOf({ started }: Job): number {
    return this.#clock.now() - started.startedAt;
  }

  /** Whether any of them is likely to end within so many milliseconds. */
  endWithin(milliseconds: number): boolean {
    if (this.#lastMs > milliseconds) return false;
    return [...this.#active].some((active) => this.#ageOf(active) < milliseconds);
  }
}
