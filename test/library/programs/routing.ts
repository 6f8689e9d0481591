import { fileURLToPath } from "node:url";
import { JobStore, SqsQueue, Worker } from "reeve";
import { tell, text } from "./tell.ts";

const [url = ""] = process.argv.slice(2);
await using store = await JobStore.open("store", { jobs: fileURLToPath(new URL("routed.ts", import.meta.url)) });
await using queue = new SqsQueue({ url });
await using worker = new Worker({ store, queue });

for (const kind of ["loud", "soft"]) {
  const id = await queue.submit({ body: "Some Text", attributes: { kind } });
  const done = await worker.dispatchOne({ wait: "20s" });
  tell({ isSame: done?.id === id, definition: done?.definition, result: JSON.parse(text(store.result(id, "result"))) });
}
