import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { codeOf } from "../errors.ts";
import type { LeftOut } from "./job.ts";

/** Bytes that can be read from anywhere. */
export interface ByteSource {
  readonly size: number;
  /** At most so many bytes; none beyond the end. Where something was left out there are zeroes. */
  read(offset: number, length: number): Uint8Array;
  /** To be asked after reading: what it does not name was there when it was read. */
  leftOut(): LeftOut | null;
}

/** What comes next: bytes, or a place where so many were left out. `end` is where it goes on. */
export type Piece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly end: number }
  | { readonly kind: "left out"; readonly length: number; readonly end: number };

/** Null: there is nothing more. */
export function pieceAt(source: ByteSource, offset: number, most: number): Piece | null {
  const bytes = source.read(offset, most);
  const { start, end } = source.leftOut() ?? { start: 0, end: 0 };
  if (offset >= start && offset < end) return { kind: "left out", length: end - offset, end };
  const there = offset < start ? bytes.subarray(0, start - offset) : bytes;
  return there.length === 0 ? null : { kind: "bytes", bytes: there, end: offset + there.length };
}

const nothingLeftOut = (): null => null;

export function bytesSource(bytes: Uint8Array): ByteSource {
  const read = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length);
  return { size: bytes.length, read, leftOut: nothingLeftOut };
}

const NOTHING = bytesSource(new Uint8Array());

/** Opens a file for as long as `use` looks at it; a file that is not there has no bytes. */
export function withFile<T>(
  path: string,
  use: (source: ByteSource) => T,
  leftOut: ByteSource["leftOut"] = nothingLeftOut,
): T {
  const descriptor = open(path);
  if (descriptor === undefined) return use(NOTHING);
  try {
    const stat = fstatSync(descriptor);
    const read = (offset: number, length: number): Uint8Array => readAt(descriptor, offset, length);
    return use(stat.isFile() ? { size: stat.size, read, leftOut } : NOTHING);
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string): number | undefined {
  try {
    // A job may have put a pipe in its place, which nobody must wait for, or a link to what is not its own.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ELOOP") return undefined;
    throw error;
  }
}

function readAt(descriptor: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
}

const CHUNK = 64 * 1024;
const NEWLINE = 10;

/** Where the last so many lines begin. A newline at the very end begins no line. */
export function tailOffset(source: ByteSource, lines: number): number {
  if (lines === 0) return source.size;
  const { start, end } = source.leftOut() ?? { start: 0, end: 0 };
  let wanted = lines;
  for (let to = source.size - 1; to > 0;) {
    if (to === end && end > start) {
      // What comes after a gap begins a line, and what ends before it begins none.
      wanted -= 1;
      if (wanted === 0) return end;
      to = start - 1;
    }
    const from = Math.max(to > end ? end : 0, to - CHUNK);
    const bytes = source.read(from, to - from);
    for (let at = bytes.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)) {
      wanted -= 1;
      if (wanted === 0) return from + at + 1;
    }
    to = from;
  }
  return 0;
}
