import { existsSync, readdirSync, rmSync } from "node:fs";
import { codeOf, messageOf } from "../errors.ts";
import type { Ports } from "./ports.ts";

const BEATEN_TO_IT = new Set(["ENOENT", "ENOTEMPTY", "EEXIST"]);

/**
 * Removes the directories of dead workers that no row names (any more): those that have been recovered for, and those
 * that were killed before they had registered or after they had unregistered.
 */
export function removeLeftovers(ports: Pick<Ports, "store" | "locks" | "emit">): void {
  const { location, workers } = ports.store;
  if (!existsSync(location.workers)) return;
  const named = new Set(workers.all().map(({ id }) => id));
  for (const id of readdirSync(location.workers)) if (!named.has(id)) removeIfLeft(id, ports);
}

function removeIfLeft(id: string, { store, locks, emit }: Pick<Ports, "store" | "locks" | "emit">): void {
  const directory = store.location.worker(id);
  const lock = locks.tryTake(directory);
  if (!lock) return;
  try {
    // Asked again under the lock: it may have registered meanwhile, and what is registered is for recovery.
    if (!store.workers.one(id) && !store.workers.isInUse(directory))
      rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    // Another worker removes it, or looks at it, too.
    if (!BEATEN_TO_IT.has(codeOf(error) ?? ""))
      emit({ type: "trouble", what: `${directory} was not removed: ${messageOf(error)}` });
  } finally {
    lock.release();
  }
}
