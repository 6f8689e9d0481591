import { MARK_BYTES, marksIn, type Mark } from "../process/output-times.ts";
import { isoTime } from "../uws/document.ts";
import type { AttemptOutput, Channel } from "./attempt-output.ts";
import type { Piece } from "../store/byte-source.ts";

/** Reads one output from where it was read to before. */
export interface OutputReader {
  /**
   * What comes next; null when that is nothing yet, or nothing any more. `ended` was asked before: nothing is written
   * to it since then.
   */
  next(ended: boolean): Piece | null;
}

/** The bytes as they are. */
export class PlainReader implements OutputReader {
  readonly #output: AttemptOutput;
  readonly #channel: Channel;
  #offset: number;

  constructor(output: AttemptOutput, channel: Channel, offset: number) {
    this.#output = output;
    this.#channel = channel;
    this.#offset = offset;
  }

  next(): Piece | null {
    const piece = this.#output.at(this.#channel, this.#offset);
    this.#offset = piece?.end ?? this.#offset;
    return piece;
  }
}

const NEWLINE = 10;

/** The same with the time at the beginning of each line, which is there when its end is. */
export class StampedReader implements OutputReader {
  readonly #output: AttemptOutput;
  readonly #channel: Channel;
  readonly #times: Times;
  #offset: number;
  /** Of the line whose time has been given and whose rest has not: one may be longer than memory. */
  #lineEnd: number | null = null;
  /** Up to here there is no end of the line. */
  #searched = 0;

  constructor(output: AttemptOutput, channel: Channel, offset: number) {
    this.#output = output;
    this.#channel = channel;
    this.#offset = offset;
    this.#times = new Times((at, length) => output.times(channel, at, length));
  }

  next(ended: boolean): Piece | null {
    const piece = this.#output.at(this.#channel, this.#offset);
    if (piece === null) return null;
    if (piece.kind === "left out") return this.#pass(piece);
    if (this.#lineEnd !== null) return this.#restOfLine(piece.bytes, this.#lineEnd);
    return this.#wholeLines(piece.bytes, ended) ?? this.#beginning(ended);
  }

  #pass(piece: Piece): Piece {
    this.#offset = piece.end;
    this.#lineEnd = null;
    return piece;
  }

  #restOfLine(bytes: Uint8Array, lineEnd: number): Piece {
    const part = bytes.subarray(0, lineEnd - this.#offset);
    this.#offset += part.length;
    if (this.#offset === lineEnd) this.#lineEnd = null;
    return { kind: "bytes", bytes: part, end: this.#offset };
  }

  /** Null: not one of them is whole, or has its time yet. */
  #wholeLines(bytes: Uint8Array, ended: boolean): Piece | null {
    const parts: Uint8Array[] = [];
    let from = 0;
    for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, from)) {
      const stamp = this.#times.stamp(this.#offset + newline + 1, ended);
      if (stamp === null) break;
      parts.push(stamp, bytes.subarray(from, newline + 1));
      from = newline + 1;
    }
    this.#offset += from;
    return from === 0 ? null : { kind: "bytes", bytes: Buffer.concat(parts), end: this.#offset };
  }

  /** The time of a line that is longer than what is read at once, or has no end. */
  #beginning(ended: boolean): Piece | null {
    const end = this.#findEnd(ended);
    const stamp = end === null ? null : this.#times.stamp(end, ended);
    if (stamp === null) return null;
    this.#lineEnd = end;
    return { kind: "bytes", bytes: stamp, end: this.#offset };
  }

  #findEnd(ended: boolean): number | null {
    this.#searched = Math.max(this.#searched, this.#offset);
    for (;;) {
      const piece = this.#output.at(this.#channel, this.#searched);
      if (piece === null) return ended ? this.#searched : null;
      if (piece.kind === "left out") return this.#searched;
      const newline = piece.bytes.indexOf(NEWLINE);
      if (newline >= 0) return this.#searched + newline + 1;
      this.#searched = piece.end;
    }
  }
}

const MARKS_AT_ONCE = 4096;

/** The times of an output, from its beginning to its end. */
class Times {
  readonly #read: (offset: number, length: number) => Uint8Array;
  #marks: Mark[] = [];
  #index = 0;
  #offset = 0;
  #shown: number | null = null;
  #stamp = Buffer.from("");

  constructor(read: (offset: number, length: number) => Uint8Array) {
    this.#read = read;
  }

  /** The time of the first mark that is not before `end`, as text. Null: there is none yet. */
  stamp(end: number, ended: boolean): Uint8Array | null {
    const time = this.#timeOf(end);
    if (time === null) return ended ? UNKNOWN : null;
    // The job could write there, too.
    if (Number.isNaN(new Date(time).getTime())) return UNKNOWN;
    if (time !== this.#shown) this.#stamp = Buffer.from(`${isoTime(time)} `);
    this.#shown = time;
    return this.#stamp;
  }

  #timeOf(end: number): number | null {
    for (;;) {
      for (; this.#index < this.#marks.length; this.#index += 1) {
        const mark = this.#marks[this.#index];
        if (mark && mark.offset >= end) return mark.time;
      }
      if (!this.#readMore()) return null;
    }
  }

  #readMore(): boolean {
    this.#marks = marksIn(this.#read(this.#offset, MARKS_AT_ONCE * MARK_BYTES));
    this.#index = 0;
    this.#offset += this.#marks.length * MARK_BYTES;
    return this.#marks.length > 0;
  }
}

/** In the place of a time that nobody noted. */
const UNKNOWN = Buffer.from(`${"-".padEnd(24)} `);
