import { fileURLToPath } from "node:url";
import { JobStore, ReeveError, Worker } from "reeve";
import { tell, text } from "./tell.ts";

const jobs = fileURLToPath(new URL("jobs.ts", import.meta.url));
await using store = await JobStore.open("store", { jobs, definitions: { plain: { command: ["true"] } } });
await using worker = new Worker({ store, concurrency: 2 });
const logged: string[] = [];
worker.on("job said", ({ said }) => logged.push(said));

const greeting = await store.submit({ job: "greet", params: { who: "you", times: 2 }, body: "a body" });
const nobody = await store.submit({ job: "greet", params: { who: "nobody" } });
const failing = await store.submit({ job: "fail" });
await store.submit({ job: "plain" });
await worker.run({ drain: true });

const pid = Number(/from process (\d+)/.exec(text(store.result(greeting, "log")))?.[1]);
tell({ result: JSON.parse(text(store.result(greeting, "result"))), isOwnProcess: pid > 0 && pid !== process.pid });
tell({ attempts: store.job(nobody)?.jobInfo.attempts.length, phase: store.job(nobody)?.phase });
const summary = store.job(failing)?.errorSummary;
tell({ phase: store.job(failing)?.phase, isNamed: summary?.message.includes("it does that") });
tell(logged.toSorted());

try {
  await JobStore.open("store", { jobs, definitions: { greet: { command: ["true"] } } });
} catch (error) {
  tell(error instanceof ReeveError && error.message);
}
try {
  await store.submit({ job: "greet", params: { who: "you", times: "often" } });
} catch (error) {
  tell(error instanceof ReeveError && error.message);
}
