import type { Piece } from "../store/byte-source.ts";
import { TerminalText } from "./render/terminal.ts";
import { byteSize } from "./render/times.ts";
import { print, printError } from "./streams.ts";

const NEWLINE = 10;

/** Prints what was read of an output on stdout or stderr: byte for byte, but for what could act on a terminal. */
export class OutputPrinter {
  readonly #print: typeof print;
  readonly #terminal: TerminalText | null;
  #atLineStart = true;

  constructor(to: "stdout" | "stderr") {
    this.#print = to === "stdout" ? print : printError;
    this.#terminal = process[to].isTTY ? new TerminalText() : null;
  }

  async take(piece: Piece): Promise<void> {
    if (piece.kind === "bytes") return this.#bytes(piece.bytes);
    await this.end();
    // On a line of its own, so that it is seen also by whoever reads a file that this went to.
    await this.#print(`${this.#atLineStart ? "" : "\n"}… ${byteSize(piece.length)} left out …\n`);
    this.#atLineStart = true;
  }

  /** What comes next has nothing to do with what came before. */
  async end(): Promise<void> {
    const rest = this.#terminal?.end() ?? "";
    if (rest !== "") await this.#print(rest);
  }

  async #bytes(bytes: Uint8Array): Promise<void> {
    this.#atLineStart = bytes.at(-1) === NEWLINE;
    await this.#print(this.#terminal?.show(bytes) ?? bytes);
  }
}
