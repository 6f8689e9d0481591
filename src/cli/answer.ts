import { unavailable } from "../errors.ts";
import type { Job } from "../store/job.ts";
import type { Context } from "./context.ts";
import { livingWorkers } from "./living-workers.ts";

/** How long a worker may take to do what it is asked for: a job's grace and its exit handler, and some more. */
export const PATIENCE_MS = 60_000;

/** Nobody answers for a worker that is gone. */
export async function patience(context: Context, { worker }: Job): Promise<number> {
  return (await isGone(context, worker)) ? 0 : PATIENCE_MS;
}

async function isGone({ store }: Context, worker: string | null): Promise<boolean> {
  return worker !== null && !(await livingWorkers(store)).some(({ id }) => id === worker);
}

/** What was asked of a worker (`the abort`) stands in the store, whoever comes next. */
export async function unanswered(context: Context, { id, worker }: Job, what: string): Promise<Error> {
  const gone = await isGone(context, worker);
  const why = gone ? "its worker is gone" : `its worker has not answered for ${PATIENCE_MS / 1000} s`;
  const hint = gone
    ? "the next worker puts the job in order: `reeve work`"
    : "it is done as soon as the worker goes on";
  return unavailable(`${what} of job ${id} is recorded, but ${why}`, hint);
}
