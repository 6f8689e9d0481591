import type { WorkerRow } from "../store/workers.ts";
import type { Locks, Ports } from "./ports.ts";

/** A worker among the others of its store. */
export interface OneOfMany {
  readonly ports: Ports;
  readonly worker: string;
  /** It runs one command, and sees to those only that did the same: what others left may have to go on somewhere. */
  readonly foreground: boolean;
}

/** Those that it would see to, were they dead. */
export function othersOf({ ports, worker, foreground }: OneOfMany): WorkerRow[] {
  return ports.store.workers.all().filter(({ id, concurrency }) => id !== worker && !(foreground && concurrency > 0));
}

/** Whether its lock can be taken. */
export function isDead({ directory }: WorkerRow, locks: Locks): boolean {
  const lock = locks.tryTake(directory);
  lock?.release();
  return lock !== null;
}
