import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { codeOf } from "../errors.ts";
import type { LeftOut } from "../store/job.ts";
import type { OutputFile, Probes } from "./probes.ts";
import { INLINE_BYTES } from "./results.ts";
import { withSpare } from "./spare.ts";

/** So far from an ideal cut a line's beginning is looked for, in bytes. */
const LINE_SEARCH_BYTES = 64 * 1024;
/** While the program runs, less than this is not worth a call. */
const LEAST_STEP_BYTES = 64 * 1024;
/** What a filesystem gives back is whole blocks: of a page on nearly all of them, and no harm is done on others. */
const BLOCK_BYTES = 4096;
const NEWLINE = 10;

/**
 * Takes the middle out of one output while the program goes on writing at its end: half of the limit is kept of the
 * beginning, half of the end, both cut where a line begins if one does so nearby. The file stays as long as it was, but
 * what is left out takes no place on the disk (fallocate(2), FALLOC_FL_PUNCH_HOLE). What is left out is written down
 * beside the output before it goes, for whoever reads meanwhile and for whoever comes after this process.
 */
export class OutputCut {
  readonly #probes: Probes;
  readonly #file: OutputFile;
  readonly #limit: number;
  readonly #head: number;
  readonly #mayGo: () => number;
  #leftOut: LeftOut | null;
  #isImpossible = false;
  /** Up to here it has been given back to the disk. */
  #punched = 0;

  /** `mayGo`: nothing from this offset on is taken out yet. */
  constructor(probes: Probes, file: OutputFile, limit: number, mayGo: () => number) {
    this.#probes = probes;
    this.#mayGo = mayGo;
    this.#file = file;
    // What the store keeps in itself is never cut.
    this.#limit = Math.max(limit, INLINE_BYTES);
    this.#head = Math.floor(this.#limit / 2);
    const length = Math.min(probes.size(`${file}.cut`), RECORD_BYTES);
    this.#leftOut = parseCut(new TextDecoder().decode(probes.read(`${file}.cut`, 0, length)));
  }

  get leftOut(): LeftOut | null {
    return this.#leftOut;
  }

  /** It is too long, and this filesystem cannot give back the middle of a file. */
  get isImpossible(): boolean {
    return this.#isImpossible;
  }

  /** Takes out what lies in the middle now; at the `last` time also the little that was not worth it before. */
  look(size: number, last: boolean): void {
    if (size <= this.#limit) return;
    this.#isImpossible = !this.#probes.canPunch();
    if (this.#isImpossible) return;
    const start = this.#leftOut?.start ?? this.#lineBefore(this.#head);
    const end = Math.min(this.#lineAfter(size - (this.#limit - this.#head)), this.#mayGo());
    const step = last ? 1 : Math.max(LEAST_STEP_BYTES, this.#limit / 8);
    if (end - (this.#leftOut?.end ?? start) < step) return;
    this.#probes.write(`${this.#file}.cut`, recordOf({ start, end }), 0);
    this.#leftOut = { start, end };
    this.#punch({ start, end });
  }

  forget(): void {
    this.#probes.cutOff(`${this.#file}.cut`);
    this.#leftOut = null;
    this.#punched = 0;
  }

  #punch({ start, end }: LeftOut): void {
    const from = Math.max(this.#punched, Math.ceil(start / BLOCK_BYTES) * BLOCK_BYTES);
    const to = Math.floor(end / BLOCK_BYTES) * BLOCK_BYTES;
    // What could not be given back now is tried again with the next.
    if (to > from && this.#probes.punch(this.#file, from, to - from)) this.#punched = to;
  }

  /** The last beginning of a line in what comes before `at`, or `at` itself. */
  #lineBefore(at: number): number {
    const from = at - Math.min(LINE_SEARCH_BYTES, Math.floor(this.#head / 4));
    const newline = this.#probes.read(this.#file, from, at - from).lastIndexOf(NEWLINE);
    return newline < 0 ? at : from + newline + 1;
  }

  /** The first beginning of a line at or after `at`, or `at` itself. */
  #lineAfter(at: number): number {
    const length = Math.min(LINE_SEARCH_BYTES, Math.floor(this.#head / 4));
    const newline = this.#probes.read(this.#file, at - 1, length).indexOf(NEWLINE);
    return newline < 0 ? at : at + newline;
  }
}

const LINE_BYTES = 40;
const RECORD_BYTES = 2 * LINE_BYTES;

/** Always as long, so that a later one covers an earlier one; twice the same, so that one half written shows. */
function recordOf({ start, end }: LeftOut): Uint8Array {
  return new TextEncoder().encode(`${`${start} ${end}`.padEnd(LINE_BYTES - 1, " ")}\n`.repeat(2));
}

/** Null where there is none; undefined where one is being written. */
function parseRecord(text: string): LeftOut | null | undefined {
  if (text === "") return null;
  const [, start, end] = /^(\d+) (\d+) +\n\1 \2 +\n$/.exec(text) ?? [];
  return Number(start) < Number(end) ? { start: Number(start), end: Number(end) } : undefined;
}

const parseCut = (text: string): LeftOut | null => parseRecord(text) ?? null;

/** It is written every few milliseconds at most, and that takes microseconds. */
const MOST_LOOKS = 10;

/**
 * What has been left out of the output at `path` until now. Bytes that were read before this was asked for, and that
 * it does not name, are the program's own. A record that the job itself has spoilt says nothing.
 */
export function readCut(path: string): LeftOut | null {
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const cut = parseRecord(withSpare(() => readIfThere(`${path}.cut`)));
    if (cut !== undefined) return cut;
  }
  return null;
}

function readIfThere(path: string): string {
  try {
    // A job may have put a pipe in its place, which nobody must wait for.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      return fstatSync(descriptor).isFile() ? readRecord(descriptor) : "";
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ELOOP") return "";
    throw error;
  }
}

function readRecord(descriptor: number): string {
  const bytes = Buffer.alloc(RECORD_BYTES);
  return bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, RECORD_BYTES, 0));
}
