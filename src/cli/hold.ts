import { withExistingStore } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { printLine } from "./streams.ts";

/** `reeve hold`: keeps jobs that are not running from being started. */
export async function run({ args, options }: Invocation): Promise<number> {
  return withExistingStore(options, ({ store, clock, by }) =>
    eachOf(args, async (prefix) => {
      const job = store.jobs.byPrefix(prefix);
      await store.write(() => store.steering.hold(job.seq, clock.now(), by));
      await printLine(job.id);
    }),
  );
}
