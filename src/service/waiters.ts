import type { Clock } from "../clock.ts";
import type { Job } from "../store/job.ts";
import type { Jobs } from "../store/jobs.ts";
import type { Phase } from "../store/phases.ts";
import type { Store } from "../store/store.ts";

/** Of changes that come close together one look takes in all, so that a busy store does not keep us looking. */
const GATHER_MS = 10;
/** A look without a change, should a ring of the store be lost. */
const SLOW_LOOK_MS = 2000;

/** The job that is waited for; whoever may have it is its owner. */
type Waited = Pick<Job, "seq" | "phase" | "owner">;

interface Waiter {
  readonly seq: number;
  readonly phase: Phase;
  readonly owner: string | null;
  end(): void;
}

export interface WaitersOptions {
  readonly store: Pick<Store, "watch"> & { readonly jobs: Pick<Jobs, "phases"> };
  readonly clock: Pick<Clock, "after">;
  /** How many may wait at once. */
  readonly most: number;
  /** Told what kept a look from being one; the next change brings another. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Requests that wait for a job to leave its phase, in this process or in any other. One watch of the store's bell is for
 * all of them, and one look at the store; while nothing changes they cost nothing.
 */
export class Waiters {
  readonly #options: WaitersOptions;
  readonly #waiting = new Set<Waiter>();
  #unwatch: (() => void) | null = null;
  #cancelLook: (() => void) | null = null;
  #cancelSlowLook: (() => void) | null = null;
  #ended = false;

  constructor(options: WaitersOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#waiting.size >= this.#options.most;
  }

  countOf(owner: string): number {
    return [...this.#waiting].filter((waiter) => waiter.owner === owner).length;
  }

  /** Until the job has left its phase or is gone, the time is over, the client has hung up, or all of them end. */
  wait({ seq, phase, owner }: Waited, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#ended || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener("abort", end);
        this.#remove(waiter);
        resolve();
      };
      const cancel = this.#options.clock.after(milliseconds, end);
      signal.addEventListener("abort", end);
      const waiter = { seq, phase, owner, end };
      this.#add(waiter);
    });
  }

  /** All that wait are answered now, and nobody waits any more. */
  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiting) waiter.end();
  }

  #add(waiter: Waiter): void {
    this.#waiting.add(waiter);
    this.#unwatch ??= this.#options.store.watch("jobs", () => this.#lookSoon());
    // What changed since the request read the job, and before the watch, rang no bell for us.
    this.#lookSoon();
    this.#lookSlowly();
  }

  #remove(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    if (this.#waiting.size > 0) return;
    this.#unwatch?.();
    this.#cancelLook?.();
    this.#cancelSlowLook?.();
    this.#unwatch = this.#cancelLook = this.#cancelSlowLook = null;
  }

  #lookSoon(): void {
    this.#cancelLook ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelLook = null;
      this.#look();
    });
  }

  #lookSlowly(): void {
    this.#cancelSlowLook ??= this.#options.clock.after(SLOW_LOOK_MS, () => {
      this.#cancelSlowLook = null;
      this.#look();
      if (this.#waiting.size > 0) this.#lookSlowly();
    });
  }

  #look(): void {
    try {
      const phases = this.#options.store.jobs.phases([...new Set([...this.#waiting].map(({ seq }) => seq))]);
      for (const waiter of this.#waiting) if (phases.get(waiter.seq) !== waiter.phase) waiter.end();
    } catch (error) {
      this.#options.onFault(error);
    }
  }
}
