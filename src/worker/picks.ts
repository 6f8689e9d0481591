import type { Slot, WarmSlot } from "../process/port.ts";
import type { Spares, Waiting } from "./spares.ts";

/** What waits for jobs that one request of a queue may bring, by their places in the answer. */
export class Picks {
  readonly #spares: Spares;
  readonly #picked = new Map<number, Waiting>();

  constructor(spares: Spares) {
    this.#spares = spares;
  }

  /** The slot of one for a job of this definition; null: there is none. It may be asked again, for another answer. */
  at(index: number, definition: string | null): WarmSlot | null {
    for (const [place, waiting] of this.#picked) if (place >= index) this.#drop(place, waiting);
    const found = this.#spares.find(definition);
    if (!found) return null;
    found.isPicked = true;
    this.#picked.set(index, found);
    return found.slot;
  }

  #drop(place: number, waiting: Waiting): void {
    this.#picked.delete(place);
    this.#spares.settle(waiting, false);
  }

  /** Of those that were picked the slots that are used; the others go on waiting. */
  settle(used: ReadonlySet<Slot>): void {
    for (const waiting of this.#picked.values()) this.#spares.settle(waiting, used.has(waiting.slot));
    this.#picked.clear();
  }
}
