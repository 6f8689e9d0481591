import type { Clock } from "../clock.ts";
import { childrenOf, hasEnvironment, readStat, type ProcessStat } from "./proc.ts";

/** Milliseconds for which nothing else happens in this process. */
const HUNT_MS = 20;

export interface Quarry {
  /** The environment entry that every process of the tree inherits. */
  readonly cookie: string;
  /** Something of the tree lives. */
  isHeld(): boolean;
  /** The children of whoever adopts what the tree orphans. */
  adopted(): readonly number[];
}

/**
 * Looks for what forks and ends faster than a look at all processes takes: with each of its ends the next one comes to
 * whoever adopts it, and is seen among the children there, if at all.
 */
export function hunt({ cookie, isHeld, adopted }: Quarry, clock: Clock): ProcessStat[] {
  const end = clock.monotonic() + HUNT_MS;
  while (clock.monotonic() < end && isHeld()) {
    const found = adopted().flatMap((pid) => (hasEnvironment(pid, cookie) ? (readStat(pid) ?? []) : []));
    if (found.length > 0) return found;
  }
  return [];
}

/** What came to our own ancestors when a worker died: one of them adopts for it, or process 1 does (prctl(2)). */
export function adoptedByAncestors(): number[] {
  const ancestors: number[] = [];
  for (let pid = process.ppid; pid > 0 && !ancestors.includes(pid); pid = readStat(pid)?.parent ?? 0)
    ancestors.push(pid);
  return ancestors.flatMap(childrenOf);
}
