import { JobStore, SqliteQueue, SqsQueue, Worker, WorkerFailed, type DispatchedJob } from "reeve";
import { tell, text } from "./tell.ts";

const [url = "", absent = ""] = process.argv.slice(2);
await using store = await JobStore.open("store", {
  definitions: {
    resize: {
      command: ["sh", "-c", 'echo "$1 $2"; exit "$2"', "sh", "{param.image}", "{param.code}"],
      params: { image: "string", code: { type: "integer", default: 0 } },
      backoff: "0s",
    },
  },
});
await using queue = new SqsQueue({ url, visibility: "30s", wait: "1s" });
await using worker = new Worker({
  store,
  queue: [queue, new SqliteQueue()],
  name: "resizer",
  concurrency: 1,
  decide: ({ ending }) => (ending.kind === "exited" && ending.code === 9 ? { bury: "nine is no code" } : undefined),
});

const { isFifo, maxReceiveCount, allowsRetries } = await queue.facts();
tell({ isFifo, maxReceiveCount, allowsRetries });

function facts(job: DispatchedJob | null): unknown {
  if (!job) return null;
  const { phase, exitCode, willRunAgain, verdict, message, error } = job;
  const { receiveCount, body, queue: from } = message;
  return { phase, exitCode, willRunAgain, verdict: verdict.kind, receiveCount, body: text(body), from: from === url, error: error?.message.replace(job.id, "ID") ?? null }; // prettier-ignore
}

const id = await queue.submit({ job: "resize", params: { image: "a.png" }, attributes: { tenant: "t", size: 3 } });
const done = await worker.dispatchOne({ wait: "10s" });
tell({ ...Object(facts(done)), isSame: done?.id === id, said: text(store.result(id, "log")) });
tell(facts(await worker.dispatchOne()));
await queue.submit({ job: "resize", params: { image: "b.png", code: 4 } });
tell(facts(await worker.dispatchOne({ wait: "10s" })));
tell(facts(await worker.dispatchOne({ wait: "10s" })));
await queue.submit({ job: "resize", params: { image: "c.png", code: 9 } });
tell(facts(await worker.dispatchOne({ wait: "10s" })));

await using lost = new Worker({ store, queue: new SqsQueue({ url: absent }), name: "lost" });
try {
  await lost.run({ drain: true });
} catch (error) {
  tell(error instanceof WorkerFailed && { worker: error.worker, exitCode: error.exitCode, text: error.message });
}
