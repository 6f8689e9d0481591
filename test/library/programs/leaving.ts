import { readdirSync, readlinkSync } from "node:fs";
import { JobStore, ProcessManager, Worker } from "reeve";
import { tell } from "./tell.ts";

function nameOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // It was open for the look itself.
    return "";
  }
}

/** What of us is open; a runtime's own caches are not. */
const open = (): number =>
  readdirSync("/proc/self/fd")
    .map(nameOf)
    .filter((name) => /\/dev\/null|oom_score_adj|\/children$|inotify|place-/.test(name)).length;

async function round(): Promise<void> {
  await using store = await JobStore.open("store");
  await using worker = new Worker({ store, handleSignals: true });
  await store.submit({ command: ["true"] });
  await worker.dispatchOne();
  await using processes = new ProcessManager();
  processes.start(["true"]);
  await processes.step();
}

await round();
const before = open();
for (let rounds = 0; rounds < 5; rounds += 1) await round();
tell({ more: open() - before, listeners: process.listenerCount("SIGTERM") });
