import { isHeldByWorker } from "../store/phases.ts";
import { patience, unanswered } from "./answer.ts";
import { withExistingStore, type Context } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { removeJobs } from "./removing.ts";
import { printLine } from "./streams.ts";
import { waitForEnd } from "../store/waiting.ts";

/** `reeve delete`: forgets jobs, and aborts those that run before that. */
export async function run({ args, options }: Invocation): Promise<number> {
  return withExistingStore(options, (context) => eachOf(args, (prefix) => deleteOne(context, prefix)));
}

async function deleteOne(context: Context, prefix: string): Promise<void> {
  const { store } = context;
  const job = store.jobs.byPrefix(prefix);
  const [removed] = await removeJobs(context, [job]);
  if (removed === undefined && isHeldByWorker(job.phase)) {
    const ended = await waitForEnd(store, job, await patience(context, job));
    if (ended === null) throw await unanswered(context, job, "the abort");
    if (ended.kind === "ended") await removeJobs(context, [ended.job]);
  }
  await printLine(job.id);
}
