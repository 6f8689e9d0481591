import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf } from "../errors.ts";
import { isHeldByWorker } from "../store/phases.ts";
import type { Ports } from "./ports.ts";

const BEATEN_TO_IT = new Set(["ENOENT", "ENOTEMPTY", "EEXIST"]);

type Needed = Pick<Ports, "store" | "locks" | "emit">;

/**
 * Removes the directories of dead workers that no row names (any more): those that have been recovered for, and those
 * that were killed before they had registered or after they had unregistered. And those of attempts that have ended,
 * whose worker was killed before it could do so. And bodies that are no job's.
 */
export function removeLeftovers(ports: Needed): void {
  const { location, workers } = ports.store;
  const named = new Set(workers.all().map(({ id }) => id));
  for (const id of namesIn(location.workers)) if (!named.has(id)) removeIfLeft(id, ports);
  for (const name of namesIn(location.outliving))
    if (!isOpenAttempt(name, ports)) remove(join(location.outliving, name), ports);
  removeBodies(ports);
}

/** Those that a worker fetched, and then was killed before a job had them. */
function removeBodies(ports: Needed): void {
  const { location, workers, jobs } = ports.store;
  const found = namesIn(location.bodies);
  // Asked after what is there was seen: a worker registers before it fetches anything.
  const living = new Set(workers.all().map(({ id }) => id));
  for (const name of found) {
    const path = join(location.bodies, name);
    if (!living.has(name.slice(0, name.lastIndexOf("."))) && !jobs.hasBody(path)) remove(path, ports);
  }
}

const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);

/** The directory comes to be after the row of the attempt. */
function isOpenAttempt(name: string, { store }: Needed): boolean {
  const [id = "", attempt] = name.split(".");
  const job = store.jobs.byId(id);
  return job !== undefined && isHeldByWorker(job.phase) && job.attempts === Number(attempt);
}

function removeIfLeft(id: string, ports: Needed): void {
  const { store, locks } = ports;
  const directory = store.location.worker(id);
  const lock = locks.tryTake(directory);
  if (!lock) return;
  try {
    // Asked again under the lock: it may have registered meanwhile, and what is registered is for recovery.
    if (!store.workers.one(id) && !store.workers.isInUse(directory)) remove(directory, ports);
  } finally {
    lock.release();
  }
}

function remove(directory: string, { emit }: Needed): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    // Another worker removes it, or looks at it, too.
    if (!BEATEN_TO_IT.has(codeOf(error) ?? ""))
      emit({ type: "trouble", what: `${directory} was not removed: ${messageOf(error)}` });
  }
}
