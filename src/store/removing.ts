import type { Job } from "./job.ts";
import { isFinal, isHeldByWorker } from "./phases.ts";
import type { Store } from "./store.ts";

/** Who removes, and when, in milliseconds since 1970. */
export interface Removal {
  readonly by: string;
  readonly at: number;
}

/** What became of the removal of jobs. */
export interface Removed {
  /** The ids of those that are forgotten. */
  readonly ids: readonly string[];
  /** What is still there; it stays listed for the next removal. */
  readonly failures: readonly { readonly path: string; readonly error: unknown }[];
}

/**
 * Forgets jobs, and removes their files when that is on disk. Of a job that a worker has the abort is asked; its
 * destruction is due then, so that a worker forgets it when it has ended.
 */
export async function removeJobs(store: Store, jobs: readonly Job[], removal: Removal): Promise<Removed> {
  const ids = await store.write(() => {
    store.wakeWorkers();
    return jobs.filter((job) => forget(store, job, removal)).map(({ id }) => id);
  });
  const { gone, failures } = store.forgetting.removeFiles(store.forgetting.removals());
  if (gone.length > 0) await store.write(() => store.forgetting.removed(gone));
  return { ids, failures };
}

function forget(store: Store, { seq, id }: Job, { by, at }: Removal): boolean {
  const job = store.jobs.bySeq(seq);
  if (job?.id !== id) return false;
  // What waits for it is held, as for any job that did not complete.
  if (!isFinal(job.phase)) store.steering.destroy(seq, at, by);
  return !isHeldByWorker(job.phase) && store.forgetting.forget(seq, at);
}
