import type { AttemptOutput, Channel } from "./attempt-output.ts";
import { OutputPrinter } from "./output-printer.ts";
import { PlainReader, StampedReader, type OutputReader } from "./output-reader.ts";

export interface PrintOptions {
  readonly channels: readonly Channel[];
  /** Only the last lines; undefined: all. */
  readonly tail: number | undefined;
  /** Each line begins with its time. */
  readonly timestamps: boolean;
}

/** Prints what one attempt wrote, from where the last look ended. */
export class AttemptPrinter {
  readonly #output: AttemptOutput;
  readonly #parts: readonly { readonly reader: OutputReader; readonly printer: OutputPrinter }[];

  constructor(output: AttemptOutput, { channels, tail, timestamps }: PrintOptions) {
    const Reader = timestamps ? StampedReader : PlainReader;
    this.#output = output;
    this.#parts = channels.map((channel) => ({
      reader: new Reader(output, channel, tail === undefined ? 0 : output.tail(channel, tail)),
      printer: new OutputPrinter(channel === "errors" && channels.length > 1 ? "stderr" : "stdout"),
    }));
  }

  /** Prints what is there, and tells whether more may come. */
  async drain(): Promise<"ended" | "running"> {
    // Asked before the last look: what is written until then is found by it.
    const ended = this.#output.hasEnded();
    for (const { reader, printer } of this.#parts) {
      for (let piece = reader.next(ended); piece !== null; piece = reader.next(ended)) await printer.take(piece);
      if (ended) await printer.end();
    }
    return ended ? "ended" : "running";
  }
}
