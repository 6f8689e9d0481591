import { statSync } from "node:fs";

/** Whether files are still what a process has loaded. */
export class Freshness {
  readonly #files: readonly string[];
  readonly #stamps: readonly string[];
  #isFresh: boolean;

  /** `since`: when it was started, in milliseconds since 1970; what has changed after that it may have loaded or not. */
  constructor(files: readonly string[], since: number) {
    this.#files = files;
    this.#stamps = files.map(stampOf);
    this.#isFresh = files.every((file) => (statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0) <= since);
  }

  get isFresh(): boolean {
    this.#isFresh &&= this.#files.every((file, index) => stampOf(file) === this.#stamps[index]);
    return this.#isFresh;
  }
}

/** A path may lead elsewhere by now. */
function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.dev}:${stat.ino}:${stat.mtimeMs}:${stat.ctimeMs}:${stat.size}` : "";
}
