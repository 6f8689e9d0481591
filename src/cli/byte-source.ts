import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { codeOf } from "../errors.ts";

/** Bytes that can be read from anywhere. */
export interface ByteSource {
  readonly size: number;
  /** At most so many bytes; none beyond the end. */
  read(offset: number, length: number): Uint8Array;
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

const NOTHING = bytesSource(new Uint8Array());

/** Opens a file for as long as `use` looks at it; a file that is not there has no bytes. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const descriptor = open(path);
  if (descriptor === undefined) return use(NOTHING);
  try {
    return use({ size: fstatSync(descriptor).size, read: (offset, length) => readAt(descriptor, offset, length) });
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
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
  let found = 0;
  for (let end = source.size; end > 0; end -= CHUNK) {
    const begin = Math.max(0, end - CHUNK);
    const bytes = source.read(begin, end - begin);
    for (let at = bytes.length - 1; at >= 0; at -= 1) {
      const isLast = begin + at === source.size - 1;
      if (bytes[at] === NEWLINE && !isLast && (found += 1) === lines) return begin + at + 1;
    }
  }
  return 0;
}
