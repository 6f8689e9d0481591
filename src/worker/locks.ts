import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";
import type { Lock, Locks } from "./ports.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/** Others may look at a directory or remove it, each for a moment. */
const TRIES = 100;
const RETRY_MS = 10;

/** The file in a worker's directory that it holds as long as it lives. */
export const LOCK_FILE = "lock";

/** flock(2) on a file of the directory, which is made where it is missing. */
export class KernelLocks implements Locks {
  readonly #libc: Libc;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  tryTake(directory: string): Lock | null {
    for (;;) {
      const descriptor = openLock(directory);
      const isTaken = this.#libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0;
      if (isTaken && isInPlace(descriptor, directory)) return { release: () => this.#release(descriptor) };
      closeSync(descriptor);
      if (!isTaken) return null;
    }
  }

  /** Unlocked first: a child that is just being started has the descriptor, too, until its exec is through. */
  #release(descriptor: number): void {
    this.#libc.flock(descriptor, LOCK_UN);
    closeSync(descriptor);
  }
}

/**
 * The lock of one's own directory, which somebody may have for the moment that it takes to see what was left behind.
 *
 * @throws when it is not given up.
 */
export async function waitForLock(locks: Locks, directory: string, clock: Pick<Clock, "sleep">): Promise<Lock> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    await clock.sleep(RETRY_MS);
    const lock = locks.tryTake(directory);
    if (lock) return lock;
  }
  throw new Error(`the directory ${directory} is in use by another worker`);
}

/** Whoever had the lock before may have removed the file, and then it is a lock on nothing. */
function isInPlace(descriptor: number, directory: string): boolean {
  return statSync(join(directory, LOCK_FILE), { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
}

/** Somebody may be removing the directory, also after it was made anew. */
function openLock(directory: string): number {
  for (let tries = 1; ; tries += 1) {
    try {
      return openSync(join(directory, LOCK_FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || tries >= TRIES) throw error;
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    }
  }
}
