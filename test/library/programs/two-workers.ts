import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { JobStore, Worker, type WorkerEvent } from "reeve";
import { tell, text } from "./tell.ts";

// A child of this program, which is no business of the workers.
const own = spawn("sleep", ["1000"], { stdio: "ignore" });
const ended = new Promise((resolve) => own.on("exit", (code, signal) => resolve({ code, signal })));

async function work(name: string): Promise<void> {
  await using store = await JobStore.open(`store-${name}`, {
    definitions: { greet: { command: ["printf", "%s", `{param.who} by ${name}`], params: { who: "string" } } },
  });
  await using worker = new Worker({ store, concurrency: 2, name });
  const seen: WorkerEvent["type"][] = [];
  worker.onEvent(({ type }) => seen.push(type));
  const ids = await store.submitAll([
    { job: "greet", params: { who: "one" } },
    { job: "greet", params: { who: "two" } },
  ]);
  const { counts } = await worker.run({ drain: true });
  const outputs = ids.map((id) => text(store.result(id, "log")));
  tell({ name, counts, outputs, jobs: store.list().length, seen });
}

await Promise.all([work("anna"), work("bert")]);

await using store = await JobStore.open("store-anna");
await using worker = new Worker({ store });
const leaves = ["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 3>&- & echo $!"];
const id = await store.submit({ command: leaves, keepDescendants: true, maxAttempts: 1 });
await worker.run({ drain: true });
const orphan = Number(text(store.result(id, "log")));
const parent = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${orphan}/status`, "utf8"))?.[1]);
process.kill(orphan, "SIGKILL");
tell({ adopted: parent === process.pid, isOwnAlive: own.exitCode === null && own.signalCode === null });
own.kill("SIGKILL");
tell(await ended);
