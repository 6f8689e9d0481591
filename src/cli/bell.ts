import type { Store } from "../store/store.ts";
import { onChange } from "../store/waiting.ts";

/** Remembers a change of the store until somebody waits for one, so that none is missed between looks. */
export class Bell {
  readonly #close: () => void;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(store: Store) {
    this.#close = onChange(store, () => {
      this.#rung = true;
      this.#wake?.();
    });
  }

  /** Until there has been a change since the last wait, or so many milliseconds (null: no limit) have passed. */
  async wait(milliseconds: number | null): Promise<void> {
    if (!this.#rung) await this.#sleep(milliseconds);
    this.#rung = false;
  }

  #sleep(milliseconds: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === null ? undefined : setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    this.#close();
  }
}
