import { allProcesses, environmentOf, filesOf, isAlive, isLockHolder, type ProcessStat } from "./proc.ts";

/** Clock ticks for which a process counts as young: it may be gone before it is asked for more. */
const YOUNG_TICKS = 100;

/** A process as one look saw it. What costs more than its `stat` is read when it is asked for, and only once. */
export class Seen {
  readonly stat: ProcessStat;
  #environment: readonly string[] | undefined;
  #files: ReadonlyMap<string, string> | undefined;

  constructor(stat: ProcessStat, isYoung: boolean) {
    this.stat = stat;
    if (isYoung) this.#environment = environmentOf(stat.pid);
  }

  /** Whether the environment that it was started with has `entry` (`NAME=value`). */
  hasEnvironment(entry: string): boolean {
    this.#environment ??= environmentOf(this.stat.pid);
    return this.#environment.includes(entry);
  }

  /** Whether it has inherited the lock on one of these files (`device:inode`). */
  hasLockOn(files: ReadonlySet<string>): boolean {
    this.#files ??= filesOf(this.stat.pid);
    for (const [descriptor, file] of this.#files) {
      if (files.has(file) && isLockHolder(this.stat.pid, descriptor)) return true;
    }
    return false;
  }
}

let last: readonly Seen[] | null = null;

/**
 * The living processes but for this one. All who look in one turn of the event loop share a look, since one look for
 * each of many trees would take the worker's whole time; that nothing of a tree was seen holds ever after, if the look
 * came after the tree's start.
 */
export function look(): readonly Seen[] {
  if (last) return last;
  setImmediate(forgetLook);
  last = lookNow();
  return last;
}

/** A tree has been started: whoever looks for it has to look anew. */
export function forgetLook(): void {
  last = null;
}

function lookNow(): Seen[] {
  const seen: Seen[] = [];
  let newest = 0;
  for (const stat of allProcesses()) {
    if (!isAlive(stat) || stat.pid === process.pid) continue;
    newest = Math.max(newest, stat.startTime);
    seen.push(new Seen(stat, stat.startTime > newest - YOUNG_TICKS));
  }
  return seen;
}
