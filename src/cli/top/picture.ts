import type { Store } from "../../store/store.ts";
import type { Screen } from "../render/table.ts";
import { Pace } from "./pace.ts";
import { screenful } from "./screenful.ts";
import { takeSnapshot } from "./snapshot.ts";
import { surroundings } from "./surroundings.ts";
import { FullScreen } from "./terminal.ts";

/** Between two pictures of a busy store, and of one in which nothing changes: times go on, and so does what jobs use. */
const CHANGED_MS = 100;
const UNCHANGED_MS = 1000;

/** What `reeve top` shows, drawn anew as the store changes. */
export class LivePicture {
  readonly #store: Store;
  readonly #look: () => Screen;
  readonly #fail: (error: unknown) => void;
  readonly #screen: FullScreen;
  readonly #pace = new Pace();
  readonly #around = surroundings();
  readonly #unwatch: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isSoon = false;

  /** @param look - how wide the terminal is, in this moment */
  constructor(store: Store, look: () => Screen, enough: { resolve(): void; reject(error: unknown): void }) {
    this.#store = store;
    this.#look = look;
    this.#fail = (error) => enough.reject(error);
    this.#screen = new FullScreen(
      () => enough.resolve(),
      () => this.drawSoon(),
    );
    this.#unwatch = store.watch("jobs", () => this.drawSoon());
    this.#draw();
  }

  drawSoon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.#drawAfter(CHANGED_MS);
  }

  #drawAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#draw(), milliseconds);
  }

  #draw(): void {
    this.#isSoon = false;
    try {
      const shot = takeSnapshot(this.#store, this.#around);
      this.#pace.add(shot);
      const lines = screenful(this.#store, shot, this.#pace, this.#look(), this.#screen.rows);
      this.#screen.show(lines);
      this.#drawAfter(UNCHANGED_MS);
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#screen.close();
  }
}
