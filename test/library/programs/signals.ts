import { endBySignal, JobStore, Worker } from "reeve";
import { tell } from "./tell.ts";

const SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGABRT", "SIGUSR1", "SIGTSTP", "SIGCONT"];
const listeners = (): number => SIGNALS.reduce((sum, name) => sum + process.listenerCount(name), 0);

const store = await JobStore.open("store");
const worker = new Worker({ store, concurrency: 1, handleSignals: process.argv[2] === "handled", stopBudget: "5s" });
const [command = "sleep 1000"] = process.argv.slice(3);
const id = await store.submit({ command: ["sh", "-c", command], grace: "1s" });
worker.on("job started", ({ pid }) => tell({ pid, listeners: listeners() }));
const end = await worker.run();
const { stoppedBy, isExiting } = worker;
tell({ putBack: end.counts.putBack, stoppedBy, isExiting, phase: store.job(id)?.phase });
await worker[Symbol.asyncDispose]();
store.close();
if (stoppedBy) endBySignal(stoppedBy);
