import { statSync } from "node:fs";

/** Whether files are still what a process has loaded. */
export class Freshness {
  readonly #files: readonly string[];
  readonly #stamps: readonly string[];
  #isFresh: boolean;

  /** `since`: when it was started, in milliseconds since 1970; what has changed after that it may have loaded or not. */
  constructor(files: readonly string[], since: number) {
    this.#files = [...new Set(files.map(lookedAt))];
    this.#stamps = this.#files.map(stampOf);
    this.#isFresh = this.#files.every((file) => (statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0) <= since);
  }

  get isFresh(): boolean {
    this.#isFresh &&= this.#files.every((file, index) => stampOf(file) === this.#stamps[index]);
    return this.#isFresh;
  }
}

const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+\//;

/** There may be thousands in packages, which are looked at for each job: with its manifest all of a package changes. */
function lookedAt(file: string): string {
  const [directory] = PACKAGE.exec(file) ?? [];
  return directory === undefined ? file : `${directory}package.json`;
}

/** A path may lead elsewhere by now. */
function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.dev}:${stat.ino}:${stat.mtimeMs}:${stat.ctimeMs}:${stat.size}` : "";
}
