import { JobStore, Worker } from "reeve";

await using store = await JobStore.open("store");
await using worker = new Worker({ store });
await store.submitAll([{ command: ["sh", "-c", "echo out; echo err >&2; exit 1"] }, { command: ["/no/such/program"] }]);
await worker.run({ drain: true });
