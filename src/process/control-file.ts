import type { Clock } from "../clock.ts";
import { ControlReader, type ControlMessages } from "./control.ts";
import { Listening } from "./listening.ts";
import type { Heard } from "./port.ts";
import type { Probes } from "./probes.ts";

/** Bytes of messages that may wait to be read; of what comes faster the midst is left out, and that is said. */
export const CONTROL_QUOTA = 16 * 1024 * 1024;
/** Read at once: what that takes holds up all that the worker does. */
const SLICE = 256 * 1024;
/** Bytes. No message is longer. */
export const LONGEST_LINE = 256 * 1024;
/** After so much what was read is given back to the disk. */
const PIECE = 4 * 1024 * 1024;
/** Where nothing can be given back, the file begins anew at this size. */
const LARGEST = 4 * CONTROL_QUOTA;
const BLOCK = 4096;
/** Bytes by which a file that was written anew is told from one that has grown. */
const REMEMBERED = 64;

const NONE = new Uint8Array();
const NEWLINE = 10;

/**
 * The messages of one attempt, read as they come and to the last. Neither memory nor disk is taken by what was read
 * already, and a job that truncates the file, or writes it anew each time, is understood.
 */
export class ControlFile {
  readonly #probes: Probes;
  readonly #reader = new ControlReader();
  /** Up to which it was read. */
  #offset = 0;
  /** The bytes before that. */
  #last: Uint8Array = NONE;
  /** A line whose end is still to come. */
  #begun: Uint8Array[] = [];
  #begunBytes = 0;
  /** What comes before the next line feed belongs to a line that is left out. */
  #isInMidst = false;
  #leftOut = 0;
  #givenBack = 0;
  /** What another worker has heard: none of it is news. */
  #heardBefore = 0;
  #listening: Listening | null = null;
  /** Null: the attempt goes on. */
  #endsAt: number | null = null;

  constructor(probes: Probes) {
    this.#probes = probes;
  }

  /** Of an attempt that another worker began, which has heard so many bytes. */
  static of(probes: Probes, heard: number): ControlFile {
    const file = new ControlFile(probes);
    file.#heardBefore = heard;
    file.#readKept();
    return file;
  }

  /** Calls back with what is said, until that has come to its end. */
  listen(clock: Clock, hear: (heard: Heard) => void): void {
    this.#listening = new Listening(this, this.#probes.path("control"), clock, hear);
  }

  stop(): void {
    this.#listening?.stop();
  }

  /** Bytes that were read. */
  get offset(): number {
    return this.#offset;
  }

  /** Reads a part of what has come. Gives whether there is more of it. */
  look(): boolean {
    const isBehind = this.#read();
    this.#giveBack();
    return isBehind;
  }

  /** What there is to tell of what was read since this was last asked; null: nothing. */
  news(): Heard | null {
    const news = this.#reader.news();
    return news && { ...news, upTo: this.#offset };
  }

  /**
   * Reads a part of what was there when this was first called: the attempt is over, and who is left running may write
   * for ever. Gives whether there is more of it.
   */
  catchUp(): boolean {
    this.stop();
    this.#endsAt ??= this.#probes.size("control");
    return this.#read() && this.#offset < this.#endsAt;
  }

  /** All that there is. */
  end(): ControlMessages {
    for (let isBehind = true; isBehind;) isBehind = this.catchUp();
    this.#endLine(NONE);
    const messages = this.#reader.messages();
    const leftOut =
      this.#leftOut > 0 ? [`${this.#leftOut} bytes of its messages were left out: they were too many`] : [];
    const replaced = this.#probes.isRemoved("control") ? [REPLACED] : [];
    return { ...messages, warnings: [...messages.warnings, ...leftOut, ...replaced] };
  }

  warn(warning: string): void {
    this.#reader.warn(warning);
  }

  #read(): boolean {
    const size = this.#probes.size("control");
    if (size < this.#offset) this.#beginAnew();
    if (size === 0) return false;
    const start = this.#offset - this.#last.length;
    const bytes = this.#probes.read("control", start, Math.min(this.#last.length + this.#slice(), size - start));
    if (!beginsWith(bytes, this.#last)) {
      this.#beginAnew();
      return true;
    }
    this.#take(bytes.slice(this.#last.length));
    this.#last = bytes.slice(-REMEMBERED);
    if (this.#offset <= this.#heardBefore) this.#reader.forgetNews();
    if (size - this.#offset > CONTROL_QUOTA) this.#skip(size - CONTROL_QUOTA);
    return this.#offset < size;
  }

  #slice(): number {
    return this.#offset < this.#heardBefore ? Math.min(SLICE, this.#heardBefore - this.#offset) : SLICE;
  }

  #beginAnew(): void {
    this.#beginAt(0);
    this.#isInMidst = false;
    this.#givenBack = this.#heardBefore = 0;
  }

  #skip(to: number): void {
    this.#leftOut += to - this.#offset + this.#begunBytes;
    this.#beginAt(to);
  }

  /** In the midst of a line, most likely. */
  #beginAt(offset: number): void {
    this.#offset = offset;
    this.#last = NONE;
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isInMidst = true;
  }

  #take(bytes: Uint8Array): void {
    this.#offset += bytes.length;
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) this.#endLine(bytes.subarray(0, end));
    this.#begin(bytes.subarray(end));
  }

  #begin(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#begun.push(bytes);
    this.#begunBytes += bytes.length;
    if (this.#begunBytes <= LONGEST_LINE) return;
    if (!this.#isInMidst) this.#reader.warn(`a line of more than ${LONGEST_LINE} bytes was left out`);
    this.#beginAt(this.#offset);
  }

  /** `bytes` end with a line, or are the last of all. */
  #endLine(bytes: Uint8Array): void {
    const lines = linesOf(Buffer.concat([...this.#begun, bytes]));
    for (const line of this.#isInMidst ? lines.slice(1) : lines) if (line.trim() !== "") this.#reader.read(line);
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isInMidst = false;
  }

  #giveBack(): void {
    const upTo = Math.floor((this.#offset - this.#begunBytes - REMEMBERED) / BLOCK) * BLOCK;
    if (upTo - this.#givenBack < PIECE) return;
    if (this.#probes.canPunch()) this.#punch(upTo);
    else if (this.#offset >= LARGEST) this.#empty();
  }

  #punch(upTo: number): void {
    this.#keep(upTo);
    this.#probes.punch("control", this.#givenBack, upTo - this.#givenBack);
    this.#givenBack = upTo;
  }

  #empty(): void {
    this.#keep(0);
    this.#skip(this.#probes.size("control"));
    this.#probes.cutOff("control");
    this.#beginAnew();
  }

  /** For whoever reads the file after us, and finds nothing there before `from`. */
  #keep(from: number): void {
    this.#probes.replace("control.kept", new TextEncoder().encode(`${from}\n${this.#reader.summary()}`));
  }

  #readKept(): void {
    const [from = "", ...lines] = linesOf(this.#probes.read("control.kept", 0, this.#probes.size("control.kept")));
    for (const line of lines) if (line !== "") this.#reader.read(line);
    this.#reader.forgetNews();
    if (from === "" || from === "0") return;
    this.#givenBack = Number(from);
    this.#beginAt(this.#givenBack);
  }
}

const REPLACED = "$REEVE_CONTROL was removed or replaced: what was written to another file of that name was not read";

const beginsWith = (bytes: Uint8Array, last: Uint8Array): boolean =>
  Buffer.compare(bytes.subarray(0, last.length), last) === 0;

const linesOf = (bytes: Uint8Array): string[] => new TextDecoder().decode(bytes).split("\n");
