import { accessSync, closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../clock.ts";
import { DEFAULT_LIMITS } from "../../config/definition.ts";
import { ProcessManager } from "../../process/manager.ts";
import { procIsOurs } from "../../process/proc.ts";
import type { Runtime } from "../../runtime/port.ts";
import type { StoreLocation } from "../../store/location.ts";
import { ok, wrong, type Check, type Looked } from "./finding.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const AT_ONCE = { signal: "KILL", graceMs: 0 } as const;

/** Whether a job's lock says how long the job lives, on the filesystem where its files would be. */
export function inheritanceCheck(location: StoreLocation, runtime: Runtime): Check {
  return { name: "inherited locks", look: () => lookInTemporary(location, runtime) };
}

async function lookInTemporary({ directory }: StoreLocation, runtime: Runtime): Promise<Looked> {
  if (!procIsOurs()) return wrong("cannot be looked at without a /proc of this pid namespace");
  const place = mkdtempSync(join(isWritable(directory) ? directory : tmpdir(), ".doctor-"));
  try {
    return await look(place, runtime);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function look(directory: string, runtime: Runtime): Promise<Looked> {
  const manager = new ProcessManager(runtime, systemClock, "marks");
  const path = join(directory, "slot");
  mkdirSync(path);
  const slot = manager.openSlot(path);
  const tree = slot.start({
    job: "doctor",
    attempt: 1,
    role: "job",
    argv: ["/bin/sh", "-c", "sleep 30"],
    cwd: "/",
    environment: {},
    body: null,
    limits: DEFAULT_LIMITS,
    jobDirectory: join(directory, "job"),
  });
  const heldWhileItLives = !isFree(join(path, "output"), runtime);
  tree.stop(AT_ONCE);
  await tree.exited;
  const left = await tree.gone(AT_ONCE);
  const freeAfterIt = isFree(join(path, "output"), runtime);
  slot.close();
  if (left !== null) return wrong(left);
  if (heldWhileItLives && freeAfterIt) return ok("held by a job's processes, and freed with the last of them");
  const what = heldWhileItLives ? "a lock outlives the job that inherited it" : "a job does not inherit a lock (flock)";
  return wrong(`${what}: what became of a dead worker's jobs cannot be told`, "use a local disk: --store DIR");
}

function isFree(path: string, runtime: Runtime): boolean {
  const descriptor = openSync(path, constants.O_RDWR);
  const free = runtime.libc().flock(descriptor, LOCK_EX | LOCK_NB) === 0;
  closeSync(descriptor);
  return free;
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    // The store's own check says what is wrong with it.
    return false;
  }
}
