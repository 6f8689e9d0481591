import { lstatSync } from "node:fs";

/** Longer than the kernel's clock for file times stands still (a jiffy). */
const TIME_STEP_MS = 20;

/**
 * Tells whether a directory still is as it should be, by one look at its time where that is enough, which is cheaper
 * than to look at what is in it. The time is trusted only when the directory was last touched well before the job
 * began.
 */
export class DirectoryWatch {
  readonly #path: string;
  readonly #look: () => boolean;
  /** Its inode and time when it was last seen to be in order. */
  #seen: { readonly inode: number; readonly touchedAt: number } | null = null;
  #armed = false;

  /** `look` goes through the directory, which is there and no link. */
  constructor(path: string, look: () => boolean) {
    this.#path = path;
    this.#look = look;
  }

  /** A job begins. */
  arm(): void {
    this.#armed = this.#seen !== null && Date.now() - this.#seen.touchedAt > TIME_STEP_MS;
  }

  /** False too when it is gone, or when something else is in its place. */
  isInOrder(): boolean {
    const stat = lstatSync(this.#path, { throwIfNoEntry: false });
    if (!stat?.isDirectory()) return false;
    const now = { inode: stat.ino, touchedAt: stat.mtimeMs };
    if (this.#armed && this.#seen?.inode === now.inode && this.#seen.touchedAt === now.touchedAt) return true;
    const inOrder = this.#look();
    // The time was read first: what comes after it changes the time.
    this.#seen = inOrder ? now : null;
    return inOrder;
  }
}
