import { JobStore, ReeveError, Worker } from "reeve";
import { tell, text } from "./tell.ts";

await using store = await JobStore.open("store", { by: "the test" });
await using worker = new Worker({ store, concurrency: 4 });

/** Kept when a job is in that phase. */
async function until(id: string, phase: string): Promise<void> {
  const so = Promise.withResolvers<void>();
  const look = (): void => void (store.job(id)?.phase === phase && so.resolve());
  const unwatch = store.watch(look);
  look();
  await so.promise;
  unwatch();
}

async function refusal(act: () => unknown): Promise<unknown> {
  try {
    return await act();
  } catch (error) {
    return error instanceof ReeveError
      ? { refused: error.message, exitCode: error.exitCode }
      : { threw: String(error) };
  }
}

const running = worker.run();
const held = await store.submit({ command: ["echo", "held"], hold: true, runId: "mine" });
tell({ phase: store.job(held)?.phase, early: await store.wait(held, { timeout: "10ms" }) });
await store.start(held.slice(0, 8));
const done = await store.wait(held);
tell({ phase: done?.phase, runId: done?.runId, said: text(store.result(held, "log")) });
tell({ nothing: store.result(held, "map") ?? null, none: store.job("nobody") ?? null });

const long = await store.submit({ command: ["sleep", "1000"] });
await until(long, "EXECUTING");
await store.suspend(long);
await until(long, "SUSPENDED");
await store.resume(long);
await until(long, "EXECUTING");
await store.abort(long);
const aborted = await store.wait(long);
tell({ phase: aborted?.phase, why: aborted?.errorSummary?.message });
tell(store.why(long).map(({ what, by }) => (by === "the test" ? what : "")).filter(Boolean)); // prettier-ignore

const again = await store.retry(long);
await store.abort(again);
tell({ retryOf: store.job(again)?.jobInfo.retryOf === long, listed: store.list({ phases: ["ABORTED"] }).length });
await until(again, "ABORTED");
await store.delete(again);
tell({ deleted: store.job(again) ?? null });

const first = await store.submit({ command: ["true"], hold: true });
const second = await store.submit({ command: ["true"], after: [first] });
const waits = store.job(second)?.jobInfo.waitsFor;
await store.start(first);
tell({ waits: waits?.[0] === first, phase: (await store.wait(second))?.phase });

tell(await refusal(() => store.submit({ command: [] })));
tell(await refusal(() => store.submit({ job: "nothing" })));
tell(await refusal(() => store.submit({ command: ["true"], timeout: "soon" })));
tell(await refusal(() => store.wait("zzzz")));
tell(await refusal(() => new Worker({ store, name: "no/name" })));
tell(await refusal(() => JobStore.open("store", { definitions: { a: { command: ["{param.b}"], maxAttempts: 0 } } })));
worker.finish();
tell(await running);
