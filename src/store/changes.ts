import { closeSync, constants, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { watchDirectory } from "../watch.ts";
import type { StoreLocation } from "./location.ts";

/** `workers`: there may be something to run or to end. `jobs`: some job changed. */
export type Topic = "workers" | "jobs";

/** How the processes of one store tell each other that something changed. */
export interface Changes {
  ring(topic: Topic): void;
  watch(topic: Topic, callback: () => void): () => void;
  close(): void;
}

/**
 * Tells other processes that the store changed, without their asking: a byte is written to a file whose directory they
 * watch. It says only that something changed; what, they read from the store. A lost or doubled ring does no harm.
 */
export class ChangeFeed implements Changes {
  readonly #location: StoreLocation;
  readonly #descriptors = new Map<Topic, number>();

  constructor(location: StoreLocation) {
    this.#location = location;
  }

  ring(topic: Topic): void {
    let descriptor = this.#descriptors.get(topic);
    if (descriptor === undefined) {
      mkdirSync(this.#location.bell(topic), { recursive: true, mode: 0o700 });
      descriptor = openSync(join(this.#location.bell(topic), "bell"), constants.O_WRONLY | constants.O_CREAT, 0o600);
      this.#descriptors.set(topic, descriptor);
    }
    // Always the same byte at the same place: the file does not grow.
    writeSync(descriptor, "!", 0);
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }

  /** Calls back after each ring, at most once an event of the kernel. Gives back the way to stop. */
  watch(topic: Topic, callback: () => void): () => void {
    const directory = this.#location.bell(topic);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return watchDirectory(directory, callback);
  }
}
