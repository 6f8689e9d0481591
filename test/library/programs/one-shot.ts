import { JobFailed, JobStore, Worker, type DispatchedJob } from "reeve";
import { tell } from "./tell.ts";

await using store = await JobStore.open("store");
await using worker = new Worker({
  store,
  name: "one-shot",
  decide: ({ ending, attempt }) => {
    if (ending.kind !== "exited") return undefined;
    if (ending.code === 75) return attempt === 1 ? { release: "50ms" } : { bury: "enough of it" };
    if (ending.code === 76) throw new Error("no idea");
    return undefined;
  },
});
worker.on("trouble", ({ what }) => tell({ trouble: what }));

function facts(job: DispatchedJob | null): unknown {
  if (!job) return null;
  const { id: _, ranMs, message, error, verdict, ...others } = job;
  const isTyped = error === null || error instanceof JobFailed;
  const failure = error && { worker: error.worker, attempt: error.job.attempt, text: error.message };
  const delay = verdict.kind === "release" ? verdict.delayMs : null;
  return { ...others, verdict: verdict.kind, delay, isTyped, failure, count: message.receiveCount, ran: ranMs >= 0 };
}

tell(facts(await worker.dispatchOne()));
await store.submit({ command: ["true"] });
tell(facts(await worker.dispatchOne()));
await store.submit({ command: ["sh", "-c", "exit 3"], maxAttempts: 2, backoff: "10ms", body: "a body" });
tell(facts(await worker.dispatchOne()));
tell(facts(await worker.dispatchOne({ wait: "10s" })));
await store.submit({ command: ["sh", "-c", "exit 75"] });
tell(facts(await worker.dispatchOne()));
tell(facts(await worker.dispatchOne({ wait: "10s" })));
await store.submit({ command: ["sh", "-c", "exit 76"] });
tell(facts(await worker.dispatchOne()));
tell({ isExiting: worker.isExiting });
await store.submit({ command: ["sleep", "1000"], priority: 1 });
worker.on("job started", () => void worker.stop("the test is over"));
tell(facts(await worker.dispatchOne()));
await store.submit({ command: ["true"] });
tell({ isExiting: worker.isExiting, taken: await worker.dispatchOne() });
