import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { tryToWatch } from "../watch.ts";
import type { Heard } from "./port.ts";

/** What is said, as it comes. */
export interface Spoken {
  readonly offset: number;
  look(): boolean;
  news(): Heard | null;
  warn(warning: string): void;
}

/** Most jobs have ended by then, and what they said is read with the rest. */
const FIRST_LOOK_MS = 100;
/** Between looks at a job that talks, and at one that says more than one look takes in. */
const LOOK_MS = 50;
const BUSY_LOOK_MS = 20;
/** After so long a silence nobody looks until the kernel tells that there is something. */
const SILENCE_MS = 1000;
/** A look of its own meanwhile, should a call of the kernel be lost. */
const SLOW_LOOK_MS = 2000;

/**
 * Hears what a job says while it runs. A job that is silent costs nothing but a watch; one that talks is looked at by the
 * clock, since a call of the kernel for each of its writes would cost both sides more than what it says.
 */
export class Listening {
  readonly #file: Spoken;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #hear: (heard: Heard) => void;
  #unwatch: (() => void) | null = null;
  #cancel: () => void;
  #heardAt = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(file: Spoken, path: string, clock: Clock, hear: (heard: Heard) => void) {
    this.#file = file;
    this.#path = path;
    this.#clock = clock;
    this.#hear = hear;
    this.#cancel = clock.after(FIRST_LOOK_MS, () => this.#look());
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel();
    this.#stopWatching();
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** Whatever the kernel tells: the next that it would tell is found by the clock. */
  #stirred(): void {
    // Of a flood more may have been told before the watch was off.
    if (this.#unwatch === null) return;
    this.#heardAt = this.#clock.monotonic();
    this.#look();
  }

  #look(): void {
    if (this.#isOver) return;
    this.#cancel();
    const before = this.#file.offset;
    const { isBehind, heard } = this.#read();
    const now = this.#clock.monotonic();
    if (heard || this.#file.offset !== before) this.#heardAt = now;
    this.#lookAgain(isBehind ? BUSY_LOOK_MS : LOOK_MS, now - this.#heardAt < SILENCE_MS);
    if (heard) this.#hear(heard);
  }

  #lookAgain(soonMs: number, isTalking: boolean): void {
    const wasWatched = this.#unwatch !== null;
    if (isTalking) this.#stopWatching();
    else this.#unwatch ??= tryToWatch(this.#path, () => this.#stirred());
    // What came between the look and the watch nobody tells.
    const waitMs = wasWatched && this.#unwatch ? SLOW_LOOK_MS : soonMs;
    this.#cancel = this.#clock.after(waitMs, () => this.#look());
  }

  /** What cannot be read costs the job a warning and the worker nothing. */
  #read(): { isBehind: boolean; heard: Heard | null } {
    try {
      const isBehind = this.#file.look();
      return { isBehind, heard: this.#file.news() };
    } catch (error) {
      this.#file.warn(`its messages could not be read: ${messageOf(error)}`);
      return { isBehind: false, heard: null };
    }
  }
}
