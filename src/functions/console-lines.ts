import type { Clock } from "../clock.ts";

/** Characters of a line that are told. */
const LONGEST_LINE = 1000;
/** Lines that are told within a time. */
const MOST_LINES = 50;
const WITHIN_MS = 10_000;

/** What a process writes to the console, line by line, for a log: so much of it that no log is flooded. */
export class ConsoleLines {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #tell: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #begun = "";
  #since = Number.NEGATIVE_INFINITY;
  #told = 0;
  #bytesLeftOut = 0;

  constructor(clock: Pick<Clock, "monotonic">, tell: (line: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  take(bytes: Uint8Array): void {
    const now = this.#clock.monotonic();
    if (now - this.#since >= WITHIN_MS) this.#begin(now);
    if (this.#told >= MOST_LINES) {
      this.#bytesLeftOut += bytes.length;
      return;
    }
    const lines = `${this.#begun}${this.#decoder.decode(bytes, { stream: true })}`.split("\n");
    this.#begun = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) this.#line(line);
  }

  #begin(now: number): void {
    if (this.#bytesLeftOut > 0) this.#tell(`… ${this.#bytesLeftOut} bytes more were left out`);
    this.#since = now;
    this.#told = 0;
    this.#bytesLeftOut = 0;
  }

  #line(line: string): void {
    if (this.#told >= MOST_LINES) {
      this.#bytesLeftOut += Buffer.byteLength(line) + 1;
      return;
    }
    this.#told += 1;
    if (line.trim() !== "") this.#tell(line.slice(0, LONGEST_LINE));
    if (this.#told === MOST_LINES) this.#tell(`… what it writes within ${WITHIN_MS / 1000} s beyond this is left out`);
  }
}
