import { unavailable } from "../errors.ts";
import { isFinal } from "../store/phases.ts";
import { withExistingStore, type Context } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { livingWorkers } from "./living-workers.ts";
import { printLine, remark } from "./streams.ts";
import { waitForEnd } from "./waiting.ts";

/** How long a worker may take to end a job: its grace and exit handler, and some more. */
export const ABORT_PATIENCE_MS = 60_000;

/** `reeve abort`: ends jobs for good, and waits until they have ended. */
export async function run({ args, options }: Invocation): Promise<number> {
  const wait = options.switched("wait") ?? true;
  return withExistingStore(options, (context) => eachOf(args, (prefix) => abortOne(context, prefix, wait)));
}

async function abortOne(context: Context, prefix: string, wait: boolean): Promise<void> {
  const { store, clock, by } = context;
  const job = store.jobs.byPrefix(prefix);
  if (isFinal(job.phase)) remark(`job ${job.id} is ${job.phase} already`);
  const asked = await store.write(() => {
    store.wakeWorkers();
    return store.steering.abort(job.seq, clock.now(), by);
  });
  if (wait && (await waitForEnd(store, asked, await patience(context, asked.worker))) === null) {
    throw await unanswered(context, asked.id, asked.worker);
  }
  await printLine(job.id);
}

/** Nobody answers for a worker that is gone. */
export async function patience(context: Context, worker: string | null): Promise<number> {
  return (await isGone(context, worker)) ? 0 : ABORT_PATIENCE_MS;
}

async function isGone({ store }: Context, worker: string | null): Promise<boolean> {
  return worker !== null && !(await livingWorkers(store)).some(({ id }) => id === worker);
}

/** The abort stands in the store, whoever comes next. */
export async function unanswered(context: Context, job: string, worker: string | null): Promise<Error> {
  const gone = await isGone(context, worker);
  const what = gone ? "its worker is gone" : `its worker has not answered for ${ABORT_PATIENCE_MS / 1000} s`;
  const hint = gone ? "the next worker ends it: `reeve work`" : "it is ended as soon as the worker goes on";
  return unavailable(`the abort of job ${job} is recorded, but ${what}`, hint);
}
