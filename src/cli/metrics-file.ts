import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { messageOf, unavailable } from "../errors.ts";
import type { Store } from "../store/store.ts";

/** Milliseconds between a change and the file that tells of it, and of all others meanwhile. */
const WRITE_AFTER_MS = 5000;

export interface MetricsFileOptions {
  readonly path: string;
  readonly store: Pick<Store, "watch" | "tallies">;
  readonly clock: Pick<Clock, "after">;
  readonly text: () => string;
  /** Told once what keeps it from being written, until it could be again. */
  readonly warn: (what: string) => void;
}

/**
 * A textfile for the collector of Prometheus' node_exporter: whoever reads it reads a whole one. While nothing changes
 * it is left alone.
 */
export class MetricsFile {
  readonly #options: MetricsFileOptions;
  readonly #unwatch: () => void;
  #cancel: (() => void) | null = null;
  #isFailing = false;

  /** @throws ReeveError when it cannot be written. */
  constructor(options: MetricsFileOptions) {
    this.#options = options;
    try {
      this.#write();
    } catch (error) {
      throw unavailable(
        `--metrics ${options.path} cannot be written: ${messageOf(error)}`,
        "name a file in a directory that is there",
        error,
      );
    }
    this.#unwatch = options.store.watch("jobs", () => this.#writeSoon());
  }

  #writeSoon(): void {
    this.#cancel ??= this.#options.clock.after(WRITE_AFTER_MS, () => {
      this.#cancel = null;
      this.#tryToWrite();
      // What waits grows older, without a word from anybody.
      if (this.#isFailing || this.#options.store.tallies.oldestReady() !== null) this.#writeSoon();
    });
  }

  #tryToWrite(): void {
    try {
      this.#write();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#options.warn(`${this.#options.path} could not be written: ${messageOf(error)}`);
      this.#isFailing = true;
    }
  }

  /** The name on the way is one that no collector reads. */
  #write(): void {
    const { path, text } = this.#options;
    const onTheWay = `${path}.${process.pid}`;
    try {
      writeFileSync(onTheWay, text(), { mode: 0o644 });
      renameSync(onTheWay, path);
    } catch (error) {
      rmSync(onTheWay, { force: true });
      throw error;
    }
  }

  /** Writes it for a last time. */
  end(): void {
    this.#unwatch();
    this.#cancel?.();
    this.#tryToWrite();
  }
}
