import { JobStore, Worker } from "reeve";
import { tell } from "./tell.ts";

await using store = await JobStore.open("store");
await using worker = new Worker({ store, concurrency: 1 });
const uncaught = new Promise<unknown>((resolve) => process.once("uncaughtException", resolve));
const heard: string[] = [];
const unheard = worker.on("job started", ({ job }) => void heard.push(job));
worker.on("job started", () => {
  throw new Error("a listener's own");
});
const first = await store.submit({ command: ["true"] });
await worker.run({ drain: true });
tell({
  heard: heard.length === 1 && heard[0] === first,
  phase: store.job(first)?.phase,
  uncaught: String(await uncaught),
});
unheard();
process.on("uncaughtException", () => {});
await store.submit({ command: ["true"] });
await worker.run({ drain: true });
tell({ heard: heard.length });
