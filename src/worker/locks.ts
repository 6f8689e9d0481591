import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";
import type { Lock, Locks } from "./ports.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/** The file in a worker's directory that it holds as long as it lives. */
export const LOCK_FILE = "lock";

/** flock(2) on a file of the directory, which is made where it is missing. Closing the file frees the lock. */
export class KernelLocks implements Locks {
  readonly #libc: Libc;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  tryTake(directory: string): Lock | null {
    const descriptor = openLock(directory);
    if (this.#libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return { release: () => closeSync(descriptor) };
    closeSync(descriptor);
    return null;
  }
}

function openLock(directory: string): number {
  const open = (): number => openSync(join(directory, LOCK_FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    return open();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return open();
  }
}
