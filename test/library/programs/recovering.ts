import { JobStore, Worker } from "reeve";
import { tell } from "./tell.ts";

await using store = await JobStore.open("store");
await using worker = new Worker({ store });
const [job] = store.list();
worker.on("recovered", ({ jobs }) => {
  tell({ recovered: jobs });
  if (job) void store.abort(job.jobId);
});
await worker.run({ drain: true });
tell({ phase: job && store.job(job.jobId)?.phase });
