import { withExistingStore } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { remarkOnWorkers } from "./living-workers.ts";
import { retryJob } from "../store/retrying.ts";
import { printLine } from "./streams.ts";

/** `reeve retry`: runs ended jobs again, each as a new job whose id it prints. */
export async function run({ args, options }: Invocation): Promise<number> {
  return withExistingStore(options, async (context) => {
    const code = await eachOf(args, async (prefix) => {
      await printLine(await retryJob(context, context.store.jobs.byPrefix(prefix).seq));
    });
    if (!options.flag("quiet") && code === 0) await remarkOnWorkers(context.store);
    return code;
  });
}
