import { readdirSync, statSync } from "node:fs";
import { codeOf } from "../errors.ts";

/** Longer than the kernel's clock for file times stands still (a jiffy). */
const TIME_STEP_MS = 20;

/**
 * Tells whether a directory is empty, by one look at its time where that is enough, which is cheaper than to list it.
 * The time is trusted only when the directory was last touched well before the job began.
 */
export class DirectoryWatch {
  readonly #path: string;
  /** Its time when it was last seen empty. */
  #emptyAt: number | null = null;
  #armed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** A job begins. */
  arm(): void {
    this.#armed = this.#emptyAt !== null && Date.now() - this.#emptyAt > TIME_STEP_MS;
  }

  isEmpty(): boolean {
    const touchedAt = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs ?? null;
    if (this.#armed && touchedAt !== null && touchedAt === this.#emptyAt) return true;
    const empty = isEmptyDirectory(this.#path);
    // The time was read first: what comes after it changes the time.
    this.#emptyAt = empty ? touchedAt : null;
    return empty;
  }
}

function isEmptyDirectory(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    // The job may have removed it.
    if (codeOf(error) === "ENOENT") return true;
    throw error;
  }
}
