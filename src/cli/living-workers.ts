import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";
import type { Store } from "../store/store.ts";
import type { WorkerRow } from "../store/workers.ts";
import { LOCK_FILE } from "../worker/locks.ts";
import { remark } from "./streams.ts";

const LOCK_SH = 1;
const LOCK_NB = 4;

/** Whether a worker holds its lock. A shared lock is tried for, so that two who ask do not take each other for one. */
export function isAlive(worker: Pick<WorkerRow, "directory">, libc: Libc): boolean {
  const descriptor = openLock(worker.directory);
  if (descriptor === undefined) return false;
  const free = libc.flock(descriptor, LOCK_SH | LOCK_NB) === 0;
  closeSync(descriptor);
  return !free;
}

function openLock(directory: string): number | undefined {
  try {
    return openSync(join(directory, LOCK_FILE), "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The workers of a store that live; the newest are asked first, since they are the likeliest. */
export async function livingWorkers(store: Store): Promise<WorkerRow[]> {
  const workers = store.workers.all();
  if (workers.length === 0) return [];
  const { runtime } = await import("../runtime/index.ts");
  return workers.filter((worker) => isAlive(worker, runtime.libc()));
}

/** Those of them that run what is queued. */
export async function takingWorkers(store: Store): Promise<WorkerRow[]> {
  return (await livingWorkers(store)).filter(({ concurrency }) => concurrency > 0);
}

/** What was queued may not be run by anybody. `modules`: which a worker has to be given for it. */
export async function remarkOnWorkers(store: Store, modules: readonly string[] = []): Promise<void> {
  if ((await takingWorkers(store)).length > 0) return;
  const work = ["reeve work", ...modules.map((file) => `--jobs ${file}`)].join(" ");
  remark(`no worker is running on this store: \`${work}\` runs what is queued`);
}
