import { existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Libc } from "../runtime/port.ts";
import type { Clock } from "../clock.ts";
import type { Body } from "../config/message-body.ts";
import type { Content, LeftOut, Output, Stream } from "../store/job.ts";
import { ControlFile } from "./control-file.ts";
import { ControlGroup } from "./control-group.ts";
import { isGroupOfAWorker } from "./group-home.ts";
import { lendable, Loan } from "./handing-over.ts";
import { type Identity, IDENTITY_BYTES, identityText, type Leader, parseIdentity } from "./identity.ts";
import type { Launch, Takings, TreeName } from "./port.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import {
  copyDescriptor,
  existingFile,
  isDirectory,
  isEmptyDirectory,
  isFileOrNothing,
  moveDirectory,
  sizeOf,
} from "./files.ts";
import { readCut } from "./output-cut.ts";
import { keeperFor, type OutputKeeper, type OutputLimits, type SeenUpTo } from "./output-keeper.ts";
import { Probes, type LockedFile, type OutputFile, type SlotFile } from "./probes.ts";
import { findResults, INLINE_BYTES } from "./results.ts";

/** What is to be known of an attempt to take in what it left. */
type Ended = Pick<Launch, "attempt" | "jobDirectory" | "limits">;

/**
 * The files of one slot. They are made once and used by one job after another, since making a file costs more than a
 * small job: what is small goes into the store and is cut off here, what is large is renamed into the job's directory.
 */
export class SlotFiles {
  readonly directory: string;
  readonly results: string;
  readonly work: string;
  readonly body: string;
  readonly loan = new Loan();
  readonly #probes: Probes;
  readonly #watch: DirectoryWatch;
  readonly #resultsWatch: DirectoryWatch;
  readonly #workWatch: DirectoryWatch;
  #resultsUsed = true;
  #hasMovedBody = false;
  #keeper: OutputKeeper | null = null;
  /** Null: another worker began the attempt, or none did. */
  #control: ControlFile | null = null;
  /** Made by another worker. */
  #group: ControlGroup | null = null;

  constructor(directory: string, libc: Libc) {
    this.directory = directory;
    this.results = join(directory, "results");
    this.work = join(directory, "work");
    this.body = join(directory, "body");
    this.#probes = new Probes(directory, libc);
    this.#makeDirectories();
    this.#watch = new DirectoryWatch(directory, () => this.#isIntact());
    this.#resultsWatch = new DirectoryWatch(this.results, () => isEmptyDirectory(this.results));
    this.#workWatch = new DirectoryWatch(this.work, () => isEmptyDirectory(this.work));
  }

  #makeDirectories(): void {
    for (const path of [this.results, this.work]) mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  path(file: SlotFile): string {
    return `${this.directory}/${file}`;
  }

  /** Empties what the last job left, and makes good what it broke. */
  begin(limits: OutputLimits, seen?: SeenUpTo): void {
    this.#keeper?.stop();
    this.#control?.stop();
    this.loan.takeBack();
    this.#removeMovedBody();
    if (!this.#watch.isInOrder()) this.#rebuild();
    this.#probes.empty();
    if (this.#resultsUsed) this.#emptyResults();
    for (const watch of [this.#watch, this.#resultsWatch, this.#workWatch]) watch.arm();
    this.#keeper = keeperFor(this.#probes, limits, seen);
    this.#control = new ControlFile(this.#probes);
  }

  /** Looks after what is written, until it is taken in; also where somebody else has begun with it. */
  keep(clock: Clock, limits: OutputLimits): void {
    this.#keeper ??= keeperFor(this.#probes, limits);
    this.#keeper?.start(clock);
  }

  /** What the attempt says; an earlier worker may have heard the first bytes of it. */
  control(heard = 0): ControlFile {
    return (this.#control ??= ControlFile.of(this.#probes, heard));
  }

  /** Whether all that is reached by name is what it was: a job may remove it, or put links and pipes in its place. */
  #isIntact(): boolean {
    const directories = [this.results, this.work].every((path) => isDirectory(path));
    return directories && this.#probes.areInPlace() && isFileOrNothing(this.body);
  }

  #rebuild(): void {
    this.close();
    rmSync(this.directory, { recursive: true, force: true });
    this.#makeDirectories();
  }

  /** Read by whoever recovers a dead worker: without this, what is in the slot is not this attempt's. */
  identify(name: TreeName, leader: Leader, group: ControlGroup | null): void {
    writeSync(this.#probes.of("identity"), identityText(name, { leader, group: group?.path ?? "" }), 0);
  }

  /** The main process of this attempt; null: it never got one here, and what is in the slot is another's. */
  leaderOf(name: TreeName): Leader | null {
    return this.#identity(name)?.leader ?? null;
  }

  /** The control group of this attempt, where it has one that is still there: to be used until these files are closed. */
  groupOf(name: TreeName): ControlGroup | null {
    const path = this.#identity(name)?.group ?? "";
    if (!isGroupOfAWorker(path)) return null;
    if (this.#group?.path !== path) this.#group = new ControlGroup(path);
    return this.#group;
  }

  #identity(name: TreeName): Identity | null {
    return parseIdentity(new TextDecoder().decode(this.#probes.read("identity", 0, IDENTITY_BYTES)), name);
  }

  #emptyResults(): void {
    rmSync(this.results, { recursive: true, force: true });
    mkdirSync(this.results, { mode: 0o700 });
    this.#resultsUsed = false;
  }

  /** For the tree to inherit; the caller closes its own descriptor after the spawn. */
  openLocked(file: LockedFile): number {
    return this.#probes.openLocked(file);
  }

  openForAppending(file: SlotFile): number {
    return this.#probes.openForAppending(file);
  }

  /** Whether no process has inherited them, or all that had are gone. */
  areFree(): boolean {
    return this.#probes.areFree();
  }

  lockedFiles(): ReadonlySet<string> {
    return this.#probes.lockedFiles();
  }

  /** For the tree to read, and for the caller to close. */
  openBody(body: NonNullable<Body>): number {
    this.#hasMovedBody = body.kind === "file";
    if (body.kind === "file") renameSync(body.path, this.body);
    else writeFileSync(this.body, body.bytes, { mode: 0o600 });
    return openSync(this.body, "r");
  }

  /** What is large is not kept until the next job. */
  #removeMovedBody(): void {
    if (this.#hasMovedBody) rmSync(this.body, { force: true, recursive: true });
    this.#hasMovedBody = false;
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
  collect(launch: Ended, again: boolean): Takings {
    this.loan.takeBack(lendable(this, launch));
    this.#removeMovedBody();
    const { results: declared, warnings, ...said } = this.control().end();
    const resultsDirectory = this.#keepResults(launch, again);
    const found = resultsDirectory ? findResults(resultsDirectory, declared) : { results: [], warnings: [] };
    this.#keepWork(launch);
    this.#keeper ??= keeperFor(this.#probes, launch.limits);
    this.#keeper?.end();
    return {
      outputs: this.#takeOutputs(launch, again),
      results: found.results,
      ...said,
      warnings: [...warnings, ...found.warnings, ...(this.#keeper?.warnings ?? [])],
    };
  }

  #takeOutputs(launch: Ended, again: boolean): Output[] {
    const streams: readonly (readonly [Stream, OutputFile])[] =
      launch.limits.output === "log" ? [["log", "output"]] : [["stdout", "output"], ["stderr", "errors"]]; // prettier-ignore
    return streams.flatMap(([stream, file]) => {
      const target = `${launch.jobDirectory}/${stream}.${launch.attempt}`;
      const leftOut = this.#keeper?.leftOut(file) ?? (again ? readCut(this.path(file)) : null);
      const content = this.#take(file, target, again, leftOut);
      if (!content) return [];
      const times = launch.limits.timestamps ? this.#take(`${file}.times`, `${target}.times`, again) : null;
      // The job itself could write there, too.
      const kept = leftOut && leftOut.end <= sizeOf(content) ? { leftOut } : {};
      return [{ stream, content, ...kept, ...(times && { times }) }];
    });
  }

  #take(file: SlotFile, target: string, again: boolean, leftOut: LeftOut | null = null): Content | null {
    const size = this.#probes.size(file);
    if (size === 0) return again ? existingFile(target) : null;
    if (size <= INLINE_BYTES) return { kind: "inline", bytes: this.#probes.read(file, 0, size) };
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    if (!this.#probes.isInPlace(file)) copyDescriptor(this.#probes.of(file), target, leftOut);
    else renameSync(this.path(file), target);
    this.#probes.forget(file);
    return { kind: "file", path: target, size };
  }

  /** Where the results are: still here when all are small, else in the job's directory. Null: there are none. */
  #keepResults(launch: Pick<Launch, "attempt" | "jobDirectory">, again: boolean): string | null {
    const target = join(launch.jobDirectory, `results.${launch.attempt}`);
    if (this.#resultsWatch.isInOrder() || !isDirectory(this.results))
      return again && existsSync(target) ? target : null;
    this.#resultsUsed = true;
    const small = findResults(this.results, []).results.every(({ content }) => content.kind === "inline");
    if (small) return this.results;
    moveDirectory(this.results, target);
    return target;
  }

  #keepWork(launch: Pick<Launch, "jobDirectory">): void {
    if (this.#workWatch.isInOrder() || !isDirectory(this.work)) return;
    moveDirectory(this.work, join(launch.jobDirectory, "work"));
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
  }

  close(): void {
    this.#group?.close();
    this.#keeper?.stop();
    this.#control?.stop();
    this.#control = null;
    this.#probes.close();
  }
}
