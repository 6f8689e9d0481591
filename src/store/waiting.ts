import type { Job } from "./job.ts";
import { isFinal } from "./phases.ts";
import type { Store } from "./store.ts";

/** Looks of its own, should a ring of the store be lost. */
const SLOW_LOOK_MS = 2000;

/** Calls back at each change of a job in the store, and now and then. Gives the way to stop. */
export function onChange(store: Store, callback: () => void): () => void {
  const unwatch = store.watch("jobs", callback);
  const timer = setInterval(callback, SLOW_LOOK_MS);
  return () => {
    unwatch();
    clearInterval(timer);
  };
}

/**
 * Waits until `look` finds something in the store.
 *
 * @returns what it found, or `null` when so many milliseconds have passed (null: no limit).
 */
export function waitFor<T extends object>(
  store: Store,
  timeoutMs: number | null,
  look: () => T | undefined,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      unwatch();
      clearTimeout(timer);
      settle();
    };
    const again = (): void => {
      try {
        const found = look();
        if (found !== undefined) end(() => resolve(found));
      } catch (error) {
        end(() => reject(error));
      }
    };
    const unwatch = onChange(store, again);
    const timer = timeoutMs === null ? undefined : setTimeout(() => end(() => resolve(null)), timeoutMs);
    // Only now, since a change between a look and the watch would be missed.
    again();
  });
}

/** What has become of a job: it has ended, or it is not there any more. */
export type Ended = { readonly kind: "ended"; readonly job: Job } | { readonly kind: "gone"; readonly id: string };

/** Waits until a job has ended, or been forgotten; null when it took too long. `see` is shown the job meanwhile. */
export function waitForEnd(
  store: Store,
  { seq, id }: Job,
  timeoutMs: number | null,
  see: (job: Job) => void = () => {},
): Promise<Ended | null> {
  return waitFor<Ended>(store, timeoutMs, () => {
    const job = store.jobs.bySeq(seq);
    // A row may be used again for another job.
    if (job?.id !== id) return { kind: "gone", id };
    if (isFinal(job.phase)) return { kind: "ended", job };
    see(job);
    return undefined;
  });
}
