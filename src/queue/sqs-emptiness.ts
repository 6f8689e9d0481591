import type { Clock } from "../clock.ts";

/** For so long a queue has to have nothing: one short poll asks only some of the servers that it is kept on. */
const LOOK_MS = 1000;

/** Whether nothing is left in a queue, as far as polls and what was put back by this worker can tell. */
export class Emptiness {
  readonly #clock: Pick<Clock, "boottime">;
  /** Since when all polls found nothing; null: the last one found something. */
  #since: number | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;
  /** When the last message that was put back can be seen again. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "boottime">) {
    this.#clock = clock;
  }

  /** A poll has ended that was begun then, and waited for so long. */
  polled(found: number, begun: number, waitSeconds: number): void {
    const now = this.#clock.boottime();
    if (found > 0) {
      this.#since = null;
      this.#dueAt = Math.max(this.#dueAt, now);
      return;
    }
    this.#since ??= begun;
    if (waitSeconds * 1000 >= LOOK_MS) this.#seenAt = now;
    // Where a setting lets polls not wait, several are as good.
    else if (begun - this.#since >= LOOK_MS) this.#seenAt = begun;
  }

  /** SQS counts whole seconds, and what is less is made one. */
  putBack(delayMs: number): void {
    this.#dueAt = Math.max(this.#dueAt, this.#clock.boottime() + Math.ceil(delayMs / 1000) * 1000);
  }

  /** It was empty after all that was put back could be seen again. */
  get isSeen(): boolean {
    return this.#seenAt > this.#dueAt;
  }
}
