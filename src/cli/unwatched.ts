import type { Job } from "../store/job.ts";
import { isHeldByWorker } from "../store/phases.ts";
import type { Store } from "../store/store.ts";
import { livingWorkers } from "./living-workers.ts";
import { counted } from "./render/text.ts";
import { remark } from "./streams.ts";

/** What runs, or did when its worker ended, is nobody's until the next one comes. */
export async function remarkOnUnwatched(store: Store, jobs: readonly Job[]): Promise<void> {
  const held = jobs.filter(({ phase }) => isHeldByWorker(phase));
  if (held.length === 0) return;
  const living = new Set((await livingWorkers(store)).map(({ id }) => id));
  const unwatched = held.filter(({ worker }) => worker === null || !living.has(worker)).length;
  if (unwatched > 0)
    remark(`no worker watches ${counted(unwatched, "running job")} at present; the next one sees to that`);
}
