import { spawnSync } from "node:child_process";
import { chmodSync, statSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf } from "../../src/errors.ts";
import { temporaryDirectory, type TemporaryDirectory } from "./temporary.ts";

function command(name: string, ...argv: string[]): void {
  const { status, stderr, error } = spawnSync(name, argv, { encoding: "utf8" });
  if (status !== 0) throw new Error(`cannot here: ${name} tmpfs: ${error ? messageOf(error) : stderr.trim()}`);
}

export interface SmallDisk extends TemporaryDirectory {
  /** From now on nothing can be changed on it. */
  makeReadOnly(): void;
}

/** A directory on a disk of its own, of `size` (`1m`). */
export function smallDisk(size: string): SmallDisk {
  const directory = temporaryDirectory();
  const path = directory.of("disk");
  mkdirSync(path);
  command("mount", "-t", "tmpfs", "-o", `size=${size},mode=700`, "tmpfs", path);
  return {
    path,
    of: (...names) => directory.of("disk", ...names),
    write: (name, content, mode) => directory.write(`disk/${name}`, content, mode),
    remove: (name) => directory.remove(`disk/${name}`),
    makeReadOnly: () => command("mount", "-o", "remount,ro", path),
    [Symbol.dispose]() {
      command("umount", "--lazy", path);
      directory[Symbol.dispose]();
    },
  };
}

/** Fills a disk with a file, to the last byte; gives the way to make room again. */
export function fill(directory: string): () => void {
  const path = join(directory, "filler");
  const descriptor = openSync(path, "w");
  for (let size = 65_536; size >= 1;) {
    try {
      if (writeSync(descriptor, new Uint8Array(size)) < size) size = Math.floor(size / 2);
    } catch (error) {
      if (codeOf(error) !== "ENOSPC") throw error;
      size = Math.floor(size / 2);
    }
  }
  closeSync(descriptor);
  return () => rmSync(path);
}

/** A directory in which `prepare` has put what it likes, and nothing can be changed any more. */
export function readOnlyDirectory(prepare: (path: string) => void = () => {}): TemporaryDirectory {
  if (process.getuid?.() === 0) {
    // Permissions do not hold root back.
    const disk = smallDisk("4m");
    try {
      prepare(disk.path);
      disk.makeReadOnly();
    } catch (error) {
      disk[Symbol.dispose]();
      throw error;
    }
    return disk;
  }
  const directory = temporaryDirectory();
  prepare(directory.path);
  chmodSync(directory.path, 0o500);
  return { ...directory, [Symbol.dispose]: () => (chmodSync(directory.path, 0o700), directory[Symbol.dispose]()) };
}

/** Nothing in the directory can be removed, or the file cannot be written, until this is disposed of. */
export function unchangeable(path: string): Disposable {
  if (process.getuid?.() === 0) {
    command("chattr", "+i", path);
    return { [Symbol.dispose]: () => command("chattr", "-i", path) };
  }
  const { mode } = statSync(path);
  chmodSync(path, mode & 0o555);
  return { [Symbol.dispose]: () => chmodSync(path, mode) };
}
