import { readdirSync, readFileSync, readlinkSync } from "node:fs";
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

/** What belongs to the process as a whole. */
function around(): Record<string, unknown> {
  const status = readFileSync("/proc/self/status", "utf8");
  // Deno comes to handle some signals by itself half a second after its start.
  const masks = ["SigIgn", ...("Deno" in globalThis ? [] : ["SigCgt"])].map(
    (name) => new RegExp(`^${name}:.*$`, "m").exec(status)?.[0],
  );
  const limits = ["limits", "oom_score_adj"].map((name) => readFileSync(`/proc/self/${name}`, "utf8"));
  return {
    masks,
    limits,
    cwd: process.cwd(),
    umask: process.umask(),
    environment: Object.entries(process.env).toSorted(),
  };
}

async function round(handleSignals: boolean): Promise<void> {
  await using store = await JobStore.open("store");
  await using worker = new Worker({ store, handleSignals });
  await store.submit({ command: ["true"] });
  await worker.dispatchOne();
  await using processes = new ProcessManager();
  processes.start(["true"]);
  await processes.step();
}

const before = around();
await round(false);
const changed = Object.entries(around()).filter(([name, now]) => JSON.stringify(now) !== JSON.stringify(before[name]));
tell({ changed });
await round(true);
const kept = open();
for (let rounds = 0; rounds < 5; rounds += 1) await round(true);
tell({ more: open() - kept, listeners: process.listenerCount("SIGTERM") });
