import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Content, LeftOut } from "../store/job.ts";
import { withSpare } from "./spare.ts";

/** A directory itself, no link to one. */
export const isDirectory = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** No link, and no pipe that would have to be waited for. */
export const isFileOrNothing = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? true;

export const isEmptyDirectory = (path: string): boolean => withSpare(() => readdirSync(path)).length === 0;

export function moveDirectory(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

export const sizeOf = (content: Content): number => (content.kind === "file" ? content.size : content.bytes.length);

export function existingFile(path: string): Content | null {
  const size = lstatSync(path, { throwIfNoEntry: false })?.size;
  return size === undefined ? null : { kind: "file", path, size };
}

const COPY_BYTES = 1024 * 1024;

/** For a file that has lost its name. What is left out of it is left out of the copy. */
export function copyDescriptor(from: number, to: string, leftOut: LeftOut | null): void {
  const target = openSync(to, "w", 0o600);
  const { size } = fstatSync(from);
  try {
    copyRange(from, target, 0, leftOut?.start ?? size);
    if (leftOut) copyRange(from, target, leftOut.end, size);
  } finally {
    closeSync(target);
  }
}

function copyRange(from: number, target: number, start: number, end: number): void {
  const buffer = new Uint8Array(Math.min(COPY_BYTES, end - start));
  for (let at = start; at < end;) {
    const read = readSync(from, buffer, 0, Math.min(buffer.length, end - at), at);
    if (read === 0) return;
    at += writeSync(target, buffer, 0, read, at);
  }
}

/** The end of a file, of so many bytes at most. */
export function tailOf(path: string, length: number): string {
  return withSpare(() => {
    const descriptor = openSync(path, "r");
    try {
      const bytes = new Uint8Array(length);
      const start = Math.max(0, fstatSync(descriptor).size - length);
      return new TextDecoder().decode(bytes.subarray(0, readSync(descriptor, bytes, 0, length, start)));
    } finally {
      closeSync(descriptor);
    }
  });
}
