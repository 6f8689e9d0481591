import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Processes, Slot } from "../process/port.ts";

/** The places of a worker's jobs, in its own directory. */
export class Slots {
  readonly directory: string;
  readonly #processes: Processes;
  readonly #all: Slot[] = [];

  constructor(directory: string, processes: Processes) {
    this.directory = directory;
    this.#processes = processes;
  }

  get all(): readonly Slot[] {
    return this.#all;
  }

  add(): Slot {
    const directory = join(this.directory, `slot-${this.#all.length + 1}`);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const slot = this.#processes.openSlot(directory);
    this.#all.push(slot);
    return slot;
  }

  /** With the worker's directory: nothing of it is needed any more. */
  remove(): void {
    for (const slot of this.#all) slot.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
