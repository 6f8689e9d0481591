/** Of xterm and all that do as it does: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html */
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** Ctrl-C, Ctrl-D, Escape by itself. */
const ENDING_KEYS: ReadonlySet<string> = new Set(["q", "Q", "\u0003", "\u0004", "\u001b"]);
const FEWEST_ROWS = 5;
/** Where the terminal does not say. */
const USUAL_ROWS = 24;

/** The terminal as a screen of its own, which is given back as it was. */
export class FullScreen {
  readonly #onKey: (key: string) => void;
  readonly #onResize: () => void;

  /** @param end - called when the person at it has had enough */
  constructor(end: () => void, resized: () => void) {
    this.#onKey = (key) => void (ENDING_KEYS.has(key) && end());
    this.#onResize = resized;
    process.stdout.write(ENTER);
    process.stdout.on("resize", this.#onResize);
    if (process.stdin.isTTY) this.#listen();
  }

  #listen(): void {
    process.stdin.setRawMode(true);
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", this.#onKey);
    process.stdin.resume();
  }

  get rows(): number {
    return Math.max(FEWEST_ROWS, process.stdout.rows || USUAL_ROWS);
  }

  /** One write, so that nobody sees half of it. */
  show(lines: readonly string[]): void {
    // Cleared first: after a full line that would take its last character.
    const text = lines.slice(0, this.rows).map((line) => CLEAR_LINE + line);
    process.stdout.write(HOME + text.join("\r\n") + CLEAR_BELOW);
  }

  close(): void {
    process.stdout.removeListener("resize", this.#onResize);
    if (process.stdin.isTTY) {
      process.stdin.removeListener("data", this.#onKey);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    process.stdout.write(LEAVE);
  }
}
