import {
  closeSync,
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
import type { Content } from "../store/job.ts";

/** A directory itself, no link to one. */
export const isDirectory = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

export const isEmptyDirectory = (path: string): boolean => readdirSync(path).length === 0;

export function moveDirectory(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

export function existingFile(path: string): Content | null {
  const size = lstatSync(path, { throwIfNoEntry: false })?.size;
  return size === undefined ? null : { kind: "file", path, size };
}

const COPY_BYTES = 1024 * 1024;

/** For a file that has lost its name. */
export function copyDescriptor(from: number, to: string): void {
  const target = openSync(to, "w", 0o600);
  const buffer = new Uint8Array(COPY_BYTES);
  try {
    for (let at = 0, read = -1; read !== 0; at += read) {
      read = readSync(from, buffer, 0, COPY_BYTES, at);
      writeSync(target, buffer, 0, read, at);
    }
  } finally {
    closeSync(target);
  }
}
