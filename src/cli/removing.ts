import type { Job } from "../store/job.ts";
import { isFinal, isHeldByWorker } from "../store/phases.ts";
import { messageOf } from "../errors.ts";
import type { Context } from "./context.ts";
import { remark } from "./streams.ts";

/**
 * Forgets jobs, and removes their files when that is on disk. Of a job that a worker has the abort is asked; its
 * destruction is due then, so that a worker forgets it when it has ended.
 *
 * @returns the ids of those that are forgotten.
 */
export async function removeJobs(context: Context, jobs: readonly Job[]): Promise<string[]> {
  const { store } = context;
  const removed = await store.write(() => {
    store.wakeWorkers();
    return jobs.filter((job) => forget(context, job)).map(({ id }) => id);
  });
  await removeFiles(context);
  return removed;
}

function forget({ store, clock, by }: Context, { seq, id }: Job): boolean {
  const job = store.jobs.bySeq(seq);
  if (job?.id !== id) return false;
  // What waits for it is held, as for any job that did not complete.
  if (!isFinal(job.phase)) store.steering.destroy(seq, clock.now(), by);
  return !isHeldByWorker(job.phase) && store.forgetting.forget(seq, clock.now());
}

async function removeFiles({ store }: Context): Promise<void> {
  const { gone, failures } = store.forgetting.removeFiles(store.forgetting.removals());
  if (gone.length > 0) await store.write(() => store.forgetting.removed(gone));
  for (const { path, error } of failures) {
    remark(`${path} could not be removed: ${messageOf(error)}; \`reeve clean\` tries again`);
  }
}
