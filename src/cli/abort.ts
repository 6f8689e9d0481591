import { isFinal } from "../store/phases.ts";
import { patience, unanswered } from "./answer.ts";
import { withExistingStore, type Context } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { printLine, remark } from "./streams.ts";
import { waitForEnd } from "../store/waiting.ts";

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
  if (wait && (await waitForEnd(store, asked, await patience(context, asked))) === null) {
    throw await unanswered(context, asked, "the abort");
  }
  await printLine(job.id);
}
