import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Libc } from "../runtime/port.ts";
import type { Content, Output, Stream } from "../store/job.ts";
import { CONTROL_QUOTA, readControl } from "./control.ts";
import type { Launch, Takings, TreeName } from "./port.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import { findResults, INLINE_BYTES } from "./results.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/** The files whose open descriptions, and so whose locks, every process of the tree inherits. */
type LockedFile = "output" | "control";
type SlotFile = LockedFile | "errors" | "identity";

/** A main process, which leads its session, and when it was started (clock ticks after boot; 0 where unknown). */
export interface Leader {
  readonly pid: number;
  readonly startTime: number;
}

/**
 * The files of one slot. They are made once and used by one job after another, since making a file costs more than a
 * small job: what is small goes into the store and is cut off here, what is large is renamed into the job's directory.
 *
 * A file's probe is our own open description of it, which holds no lock but can try for one: it gets it when no
 * process of the tree has the file open any more.
 */
export class SlotFiles {
  readonly directory: string;
  readonly results: string;
  readonly work: string;
  readonly body: string;
  readonly #libc: Libc;
  readonly #probes = new Map<SlotFile, number>();
  /** Files that may have something in them. */
  readonly #used = new Set<SlotFile>(["output", "errors", "control"]);
  readonly #resultsWatch: DirectoryWatch;
  readonly #workWatch: DirectoryWatch;
  #lockedFiles: ReadonlySet<string> | null = null;
  #resultsUsed = true;

  constructor(directory: string, libc: Libc) {
    this.directory = directory;
    this.results = join(directory, "results");
    this.work = join(directory, "work");
    this.body = join(directory, "body");
    this.#libc = libc;
    for (const path of [this.results, this.work]) mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#resultsWatch = new DirectoryWatch(this.results);
    this.#workWatch = new DirectoryWatch(this.work);
  }

  path(file: SlotFile): string {
    return `${this.directory}/${file}`;
  }

  /** Empties what the last job left. */
  begin(): void {
    for (const file of this.#used) ftruncateSync(this.#probe(file), 0);
    this.#used.clear();
    if (this.#resultsUsed) this.#emptyResults();
    this.#resultsWatch.arm();
    this.#workWatch.arm();
  }

  /** Read by whoever recovers a dead worker: without this, what is in the slot is not this attempt's. */
  identify(name: TreeName, leader: Leader): void {
    const text = `${name.job} ${name.attempt} ${leader.pid} ${leader.startTime}`.padEnd(119, " ");
    writeSync(this.#probe("identity"), `${text}\n`, 0);
  }

  identity(): TreeName & { readonly leader: Leader | null } {
    const [job = "", attempt, pid, startTime] = readFileSync(this.path("identity"), "utf8").trim().split(" ");
    const leader = Number(pid) > 1 ? { pid: Number(pid), startTime: Number(startTime) } : null;
    return { job, attempt: Number(attempt), leader };
  }

  #emptyResults(): void {
    rmSync(this.results, { recursive: true, force: true });
    mkdirSync(this.results, { mode: 0o700 });
    this.#resultsUsed = false;
  }

  #probe(file: SlotFile): number {
    let probe = this.#probes.get(file);
    if (probe === undefined) {
      probe = openSync(this.path(file), constants.O_RDWR | constants.O_CREAT, 0o600);
      this.#probes.set(file, probe);
    }
    return probe;
  }

  /** A new open description, locked, for the tree to inherit; the caller closes its own descriptor after the spawn. */
  openLocked(file: LockedFile): number {
    const descriptor = this.openForAppending(file);
    if (this.#libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return descriptor;
    closeSync(descriptor);
    throw new Error(`${this.path(file)} is still held by the processes of an earlier job`);
  }

  openForAppending(file: SlotFile): number {
    return openSync(this.path(file), constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
  }

  /** Whether no process has inherited them, or all that had are gone. */
  areFree(): boolean {
    return this.#isFree("output") && this.#isFree("control");
  }

  #isFree(file: LockedFile): boolean {
    const probe = this.#probe(file);
    if (this.#libc.flock(probe, LOCK_EX | LOCK_NB) !== 0) return false;
    this.#libc.flock(probe, LOCK_UN);
    return true;
  }

  /** `device:inode` of the locked files, to find who has them open. */
  lockedFiles(): ReadonlySet<string> {
    this.#lockedFiles ??= new Set(
      (["output", "control"] as const).map((file) => {
        const { dev, ino } = fstatSync(this.#probe(file));
        return `${dev}:${ino}`;
      }),
    );
    return this.#lockedFiles;
  }

  writeBody(body: Uint8Array): void {
    writeFileSync(this.body, body, { mode: 0o600 });
  }

  /** The working directory of this job: its own, if an earlier attempt left something in it. */
  workDirectory(launch: Pick<Launch, "attempt" | "jobDirectory">): string {
    const kept = join(launch.jobDirectory, "work");
    return launch.attempt > 1 && existsSync(kept) ? kept : this.work;
  }

  /**
   * Takes in what the tree left, which must be gone. `again`: somebody may have been interrupted at it, and what was
   * moved is found where it went.
   */
  collect(launch: Pick<Launch, "attempt" | "jobDirectory" | "output">, again: boolean): Takings {
    const said = this.#size("control");
    const control = readControl(this.#head("control", Math.min(said, CONTROL_QUOTA)), said);
    const resultsDirectory = this.#keepResults(launch, again);
    const found = resultsDirectory ? findResults(resultsDirectory, control.results) : { results: [], warnings: [] };
    this.#keepWork(launch);
    return {
      outputs: this.#takeOutputs(launch, again),
      results: found.results,
      progress: control.progress,
      error: control.error,
      warnings: [...control.warnings, ...found.warnings],
    };
  }

  #takeOutputs(launch: Pick<Launch, "attempt" | "jobDirectory" | "output">, again: boolean): Output[] {
    const streams: readonly (readonly [Stream, SlotFile])[] =
      launch.output === "log" ? [["log", "output"]] : [["stdout", "output"], ["stderr", "errors"]]; // prettier-ignore
    return streams.flatMap(([stream, file]) => {
      const content = this.#takeOutput(file, `${launch.jobDirectory}/${stream}.${launch.attempt}`, again);
      return content ? [{ stream, content }] : [];
    });
  }

  #takeOutput(file: SlotFile, target: string, again: boolean): Content | null {
    const size = this.#size(file);
    if (size === 0) return again ? existingFile(target) : null;
    if (size <= INLINE_BYTES) return { kind: "inline", bytes: this.#head(file, size) };
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    renameSync(this.path(file), target);
    this.#closeProbe(file);
    this.#lockedFiles = null;
    return { kind: "file", path: target, size };
  }

  /** What has something in it is emptied before the next job. */
  #size(file: SlotFile): number {
    const { size } = fstatSync(this.#probe(file));
    if (size > 0) this.#used.add(file);
    return size;
  }

  #head(file: SlotFile, length: number): Uint8Array {
    if (length === 0) return new Uint8Array();
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(this.#probe(file), bytes, 0, length, 0));
  }

  #closeProbe(file: SlotFile): void {
    const probe = this.#probes.get(file);
    if (probe !== undefined) closeSync(probe);
    this.#probes.delete(file);
  }

  /** Where the results are: still here when all are small, else in the job's directory. Null: there are none. */
  #keepResults(launch: Pick<Launch, "attempt" | "jobDirectory">, again: boolean): string | null {
    const target = join(launch.jobDirectory, `results.${launch.attempt}`);
    if (this.#resultsWatch.isEmpty()) return again && existsSync(target) ? target : null;
    this.#resultsUsed = true;
    const small = findResults(this.results, []).results.every(({ content }) => content.kind === "inline");
    if (small) return this.results;
    moveDirectory(this.results, target);
    return target;
  }

  #keepWork(launch: Pick<Launch, "jobDirectory">): void {
    if (this.#workWatch.isEmpty()) return;
    moveDirectory(this.work, join(launch.jobDirectory, "work"));
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
  }

  close(): void {
    for (const file of this.#probes.keys()) this.#closeProbe(file);
  }
}

function moveDirectory(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

function existingFile(path: string): Content | null {
  if (!existsSync(path)) return null;
  const descriptor = openSync(path, "r");
  const { size } = fstatSync(descriptor);
  closeSync(descriptor);
  return { kind: "file", path, size };
}
