import { withExistingStore } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { printLine } from "./streams.ts";

/** `reeve start`: queues jobs that are PENDING or HELD. */
export async function run({ args, options }: Invocation): Promise<number> {
  return withExistingStore(options, ({ store, clock, by }) =>
    eachOf(args, async (prefix) => {
      const job = store.jobs.byPrefix(prefix);
      await store.write(() => {
        store.steering.start(job.seq, clock.now(), by);
        store.wakeWorkers();
      });
      await printLine(job.id);
    }),
  );
}
