import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { codeOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";

/** flock(2). */
export const LOCK_EX = 2;
export const LOCK_NB = 4;
const LOCK_UN = 8;

/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE. */
const PUNCH_HOLE = 1 | 2;
/** Beyond the end of the small file that it is tried on, which stays as it is. */
const UNUSED_OFFSET = 1024 * 1024;

/** The files whose open descriptions, and so whose locks, every process of the tree inherits. */
export type LockedFile = "output" | "control";
export type OutputFile = "output" | "errors";
/** Beside an output: what was cut out of it, and when it was written; beside the messages: what those come to that were
 * given back to the disk. */
export type SlotFile =
  LockedFile | OutputFile | "identity" | "control.kept" | `${OutputFile}.cut` | `${OutputFile}.times`;

const EMPTY_AT_FIRST: readonly SlotFile[] = ["output", "errors", "control"];

/**
 * Our own open descriptions of a slot's files: one each, kept from job to job. They hold no lock but can try for one,
 * and get it when no process of the tree has the file open any more.
 */
export class Probes {
  readonly #directory: string;
  readonly #libc: Libc;
  readonly #open = new Map<SlotFile, number>();
  /** Files that may have something in them. */
  readonly #used = new Set<SlotFile>(EMPTY_AT_FIRST);
  #lockedFiles: ReadonlySet<string> | null = null;
  #canPunch = false;

  constructor(directory: string, libc: Libc) {
    this.#directory = directory;
    this.#libc = libc;
  }

  path(file: SlotFile): string {
    return `${this.#directory}/${file}`;
  }

  of(file: SlotFile): number {
    let probe = this.#open.get(file);
    if (probe === undefined) {
      probe = this.#openItself(file, constants.O_RDWR);
      this.#open.set(file, probe);
    }
    return probe;
  }

  /** A new open description, locked; closing it here does not free the lock as long as somebody has inherited it. */
  openLocked(file: LockedFile): number {
    const descriptor = this.openForAppending(file);
    if (this.#libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return descriptor;
    closeSync(descriptor);
    throw new Error(`${this.path(file)} is still held by the processes of an earlier job`);
  }

  openForAppending(file: SlotFile): number {
    return this.#openItself(file, constants.O_WRONLY | constants.O_APPEND);
  }

  /** Never what a job's link leads to: that may be anybody's, and what is opened here is cut and emptied. */
  #openItself(file: SlotFile, flags: number): number {
    const open = (): number => openSync(this.path(file), flags | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      return open();
    } catch (error) {
      if (codeOf(error) !== "ELOOP") throw error;
      unlinkSync(this.path(file));
      return open();
    }
  }

  areFree(): boolean {
    return this.#isFree("output") && this.#isFree("control");
  }

  #isFree(file: LockedFile): boolean {
    const probe = this.of(file);
    if (this.#libc.flock(probe, LOCK_EX | LOCK_NB) !== 0) return false;
    this.#libc.flock(probe, LOCK_UN);
    return true;
  }

  /** `device:inode` of the locked files, to find who has them open. */
  lockedFiles(): ReadonlySet<string> {
    this.#lockedFiles ??= new Set(
      (["output", "control"] as const).map((file) => {
        const { dev, ino } = fstatSync(this.of(file));
        return `${dev}:${ino}`;
      }),
    );
    return this.#lockedFiles;
  }

  /** Whether the names still lead to the files that we have open. */
  areInPlace(): boolean {
    return [...this.#open.keys()].every((file) => this.isInPlace(file));
  }

  isInPlace(file: SlotFile): boolean {
    const stat = lstatSync(this.path(file), { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.ino === fstatSync(this.of(file)).ino;
  }

  /** Empties what has something in it; to cut off an empty file would make ext4 write out the next one's bytes at once. */
  empty(): void {
    for (const file of this.#used) if (this.size(file) > 0) this.cutOff(file);
    this.#used.clear();
  }

  size(file: SlotFile): number {
    const { size } = fstatSync(this.of(file));
    if (size > 0) this.#used.add(file);
    return size;
  }

  /** Its size, and when it was last written to: milliseconds since 1970, by the kernel's clock. */
  look(file: SlotFile): { readonly size: number; readonly writtenAt: number } {
    const { size, mtimeMs } = fstatSync(this.of(file));
    return { size, writtenAt: mtimeMs };
  }

  /** At most so many bytes; none beyond its end. */
  read(file: SlotFile, offset: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array();
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(this.of(file), bytes, 0, length, offset));
  }

  write(file: SlotFile, bytes: Uint8Array, offset: number): void {
    this.#used.add(file);
    writeSync(this.of(file), bytes, 0, bytes.length, offset);
  }

  /** Never shorter than it was for whoever reads it meanwhile. */
  replace(file: SlotFile, bytes: Uint8Array): void {
    this.write(file, bytes, 0);
    ftruncateSync(this.of(file), bytes.length);
  }

  /** What is open has no name any more. */
  isRemoved(file: SlotFile): boolean {
    return fstatSync(this.of(file)).nlink === 0;
  }

  cutOff(file: SlotFile): void {
    ftruncateSync(this.of(file), 0);
  }

  /** Whether this filesystem can give back the middle of a file. */
  canPunch(): boolean {
    this.#canPunch ||= this.#fallocate("identity", UNUSED_OFFSET, 4096);
    return this.#canPunch;
  }

  /** Gives a part of a file back to the disk: there will be zeroes. False when that could not be done now. */
  punch(file: SlotFile, offset: number, length: number): boolean {
    return this.#fallocate(file, offset, length);
  }

  #fallocate(file: SlotFile, offset: number, length: number): boolean {
    return this.#libc.fallocate(this.of(file), PUNCH_HOLE, offset, length) === 0;
  }

  /** The file has gone elsewhere; the next job gets a new one. */
  forget(file: SlotFile): void {
    const probe = this.#open.get(file);
    if (probe !== undefined) closeSync(probe);
    this.#open.delete(file);
    this.#lockedFiles = null;
  }

  close(): void {
    for (const file of this.#open.keys()) this.forget(file);
    // Made anew they are all there again: others open them by their names.
    for (const file of EMPTY_AT_FIRST) this.#used.add(file);
  }
}
