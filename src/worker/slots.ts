import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Processes, Slot, WarmSlot } from "../process/port.ts";

/** The places of a worker's jobs, in its own directory. */
export class Slots {
  readonly directory: string;
  readonly #processes: Processes;
  readonly #all: Slot[] = [];
  readonly #warm: WarmSlot[] = [];

  constructor(directory: string, processes: Processes) {
    this.directory = directory;
    this.#processes = processes;
  }

  get all(): readonly Slot[] {
    return this.#all;
  }

  add(): Slot {
    const slot = this.#processes.openSlot(this.#makeDirectory(`slot-${this.#all.length + 1}`));
    this.#all.push(slot);
    return slot;
  }

  /** One in which a process may wait for its job; null: none can. */
  addWarm(): WarmSlot | null {
    const slot = this.#processes.warmSlot(this.#makeDirectory(`warm-${this.#warm.length + 1}`));
    if (slot) this.#warm.push(slot);
    return slot;
  }

  #makeDirectory(name: string): string {
    const directory = join(this.directory, name);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  /** With the worker's directory: nothing of it is needed any more. */
  remove(): void {
    for (const slot of [...this.#all, ...this.#warm]) slot.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
