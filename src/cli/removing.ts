import type { Job } from "../store/job.ts";
import { removeJobs as remove } from "../store/removing.ts";
import { messageOf } from "../errors.ts";
import type { Context } from "./context.ts";
import { remark } from "./streams.ts";

/**
 * Forgets jobs, as the store does it, and tells what could not be removed.
 *
 * @returns the ids of those that are forgotten.
 */
export async function removeJobs({ store, clock, by }: Context, jobs: readonly Job[]): Promise<readonly string[]> {
  const { ids, failures } = await remove(store, jobs, { by, at: clock.now() });
  for (const { path, error } of failures) {
    remark(`${path} could not be removed: ${messageOf(error)}; \`reeve clean\` tries again`);
  }
  return ids;
}
