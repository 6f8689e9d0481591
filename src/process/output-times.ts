import type { OutputFile, Probes } from "./probes.ts";

/** A mark says how long the output was at a time: two doubles, the offset and milliseconds since 1970. */
export const MARK_BYTES = 16;

/**
 * Notes when an output was written, as marks beside it, without being in its way. Since the time is the kernel's own of
 * the last write to the file, a mark is right however late it is made; what was written between two looks gets the time
 * of the last of it. Offsets and times of the marks never go back.
 */
export class OutputTimes {
  readonly #probes: Probes;
  readonly #file: OutputFile;
  /** How many there are. */
  #count: number;
  #offset = 0;
  #time = 0;

  /** Goes on after what somebody else has noted. */
  constructor(probes: Probes, file: OutputFile) {
    this.#probes = probes;
    this.#file = file;
    this.#count = Math.floor(probes.size(`${file}.times`) / MARK_BYTES);
    if (this.#count > 0) [this.#offset, this.#time] = this.#mark(this.#count - 1);
  }

  look(size: number, writtenAt: number): void {
    if (size <= this.#offset) return;
    const time = Math.max(this.#time, Math.floor(writtenAt));
    this.#probes.write(`${this.#file}.times`, bytesOf(new Float64Array([size, time])), this.#count * MARK_BYTES);
    this.#count += 1;
    this.#offset = size;
    this.#time = time;
  }

  forget(): void {
    this.#probes.cutOff(`${this.#file}.times`);
    this.#count = 0;
    this.#offset = 0;
  }

  #mark(index: number): [offset: number, time: number] {
    const [mark] = marksIn(this.#probes.read(`${this.#file}.times`, index * MARK_BYTES, MARK_BYTES));
    return mark ? [mark.offset, mark.time] : [0, 0];
  }
}

export interface Mark {
  readonly offset: number;
  readonly time: number;
}

/** The whole marks in these bytes. */
export function marksIn(bytes: Uint8Array): Mark[] {
  const count = Math.floor(bytes.length / MARK_BYTES);
  const numbers = new Float64Array(bytes.slice(0, count * MARK_BYTES).buffer);
  return Array.from({ length: count }, (_, index) => ({
    offset: numbers[2 * index] ?? 0,
    time: numbers[2 * index + 1] ?? 0,
  }));
}

const bytesOf = ({ buffer }: Float64Array): Uint8Array => new Uint8Array(buffer);
