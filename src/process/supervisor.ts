import type { Clock } from "../clock.ts";
import { codeOf, isOutOfFiles, messageOf } from "../errors.ts";
import type { Runtime } from "../runtime/port.ts";
import { Confinement, type Confining } from "./confinement.ts";
import type { ControlGroup } from "./control-group.ts";
import { cookieOf, TREE_VARIABLE } from "./environment.ts";
import { adoptedByAncestors } from "./hunt.ts";
import type { Inheritance } from "./inheritance.ts";
import type { Isolation } from "./isolation.ts";
import type { Orphans } from "./orphans.ts";
import type { MemoryWatch } from "./out-of-memory.ts";
import { forgetLook } from "./look.ts";
import type { SeenUpTo } from "./output-keeper.ts";
import {
  SpawnFailed,
  type Heard,
  type Launch,
  type RunningTree,
  type Slot,
  type StopOrder,
  type Takings,
  type TreeExit,
  type TreeName,
} from "./port.ts";
import { isAlive, readStat, seesProcesses } from "./proc.ts";
import { ExitRecord } from "./shim.ts";
import type { Leader } from "./identity.ts";
import { SlotFiles } from "./slot-files.ts";
import { placesOf, spawn, type MainProcess, type StartPlace } from "./spawn.ts";
import { TreeControl } from "./tree-control.ts";
import { treeExit } from "./tree-exit.ts";
import type { TreeMarks } from "./tree.ts";
import { keepersOf } from "./wrapping.ts";

/** What all running trees of this worker share. */
export interface Supervision extends Confining {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly orphans: Orphans;
  /** What children inherit and this process itself must not have. */
  readonly inheritance: Inheritance;
  readonly isolation: Isolation;
  readonly memory: MemoryWatch;
  /** The standard input of what has neither a body nor ours. */
  readonly devNull: number;
  readonly own: OwnStreams;
}

/** Which of this process's own streams its jobs are given, instead of the files of their slot. */
export interface OwnStreams {
  readonly stdin: boolean;
  /** Both stdout and stderr. */
  readonly output: boolean;
  /** Where their files are read as they grow: how far that has come. */
  readonly seen?: SeenUpTo;
}

/** A slot on the file system, whose jobs are real processes. */
export class FileSlot implements Slot {
  readonly directory: string;
  readonly files: SlotFiles;
  readonly #confinement: Confinement;
  readonly #supervision: Supervision;
  /** What the attempt left has been taken in, or a part of it: a full disk may have been in the way. */
  #again = false;

  constructor(directory: string, supervision: Supervision) {
    this.directory = directory;
    this.files = new SlotFiles(directory, supervision.runtime.libc());
    this.#confinement = new Confinement(supervision);
    this.#supervision = supervision;
  }

  start(launch: Launch): ProcessTree {
    return withFiles(this, () => {
      this.#again = false;
      this.files.begin(launch.limits, launch.role === "job" ? this.#supervision.own.seen : undefined);
      const init = ExitRecord.ofInit(this.directory, launch.limits);
      const place = { files: this.files, record: null, init, ...this.#confinement.begin(launch.limits) };
      const tree = new ProcessTree(launch, place, this.#supervision);
      this.files.keep(this.#supervision.clock, launch.limits);
      return tree;
    });
  }

  places(launch: Launch): Record<string, string> {
    return placesOf(launch, this.files);
  }

  listen(hear: (heard: Heard) => void): void {
    this.files.control().listen(this.#supervision.clock, hear);
  }

  catchUp(): boolean {
    return this.files.control().catchUp();
  }

  collect(launch: Launch): Takings {
    const again = this.#again;
    this.#again = true;
    return this.#confinement.warned(this.files.collect(launch, again));
  }

  close(): void {
    this.#confinement.close();
    this.files.close();
  }
}

/** @throws SpawnFailed where there is no room for files, or no descriptor. */
export function withFiles<T>(slot: Pick<Slot, "close">, start: () => T): T {
  try {
    return start();
  } catch (error) {
    // What it has open may be what those lack that run.
    slot.close();
    const errno = codeOf(error);
    if (errno === undefined || (errno !== "ENOSPC" && !isOutOfFiles(error))) throw error;
    throw new SpawnFailed(errno, `the files of the job could not be made: ${messageOf(error)}`, { cause: error });
  }
}

/** No process has this number, and no signal goes to it. */
const NOBODY = { pid: 0, startTime: 0 };

/** One main process and all that comes of it. */
export class ProcessTree implements RunningTree {
  readonly pid: number;
  readonly exited: Promise<TreeExit>;
  readonly #files: SlotFiles;
  #launch: Launch;
  readonly #main: MainProcess;
  readonly #control: TreeControl;
  readonly #record: ExitRecord | null;
  readonly #orphans: Orphans;
  #marks: TreeMarks;
  #exited = false;
  #isLetGo = false;

  constructor(launch: Launch, place: StartPlace, supervision: Supervision) {
    const { files, record } = place;
    const { orphans } = supervision;
    const ended = Promise.withResolvers<TreeExit>();
    this.#files = files;
    this.#record = record;
    this.#orphans = orphans;
    // Before the spawn: what the tree writes belongs to this attempt, also when we are killed in the middle.
    files.identify(launch, NOBODY, place.group);
    this.#main = spawn(launch, place, supervision, (exit) => {
      this.#exited = true;
      orphans.left(this.pid);
      // A job with the rights to it may have killed its own group.
      if (exit.signal === "SIGKILL") this.#main.group?.spend();
      // Where nothing was started some runtimes say so only when all of this has been given up.
      const isStopping = exit.failure === null && this.#control.isStopping;
      if (!this.#isLetGo) ended.resolve(treeExit(exit, place, supervision.memory, isStopping));
    });
    this.pid = this.#main.pid;
    orphans.joined(this.pid);
    forgetLook();
    this.exited = ended.promise;
    this.#launch = launch;
    this.#marks = marksOf(launch, files, this.#main.group);
    this.#identify({ pid: this.pid, startTime: 0 });
    this.#control = new TreeControl(
      {
        files,
        marks: () => this.#marks,
        keepers: keepersOf({ outlive: record !== null, isolate: launch.limits.isolate }),
        adopted: () => (orphans.areOurs ? orphans.strangers() : adoptedByAncestors()),
        mayHaveLeft: () => !orphans.areOurs || orphans.strangers().length > 0,
      },
      supervision.clock,
    );
  }

  remember(): void {
    this.#identify({ pid: this.pid, startTime: readStat(this.pid)?.startTime ?? 0 });
  }

  /** It has waited for this job, and is told so. */
  become(launch: Launch, order: Uint8Array): void {
    this.#launch = launch;
    this.#marks = marksOf(launch, this.#files, this.#main.group);
    this.remember();
    forgetLook();
    this.#main.feed(order);
  }

  #identify(leader: Leader): void {
    this.#marks = { ...this.#marks, leader };
    this.#files.identify(this.#launch, leader, this.#main.group);
  }

  hasEnded(): boolean {
    const isSeenDead = seesProcesses() && !isAlive(readStat(this.pid));
    return this.#exited || isSeenDead || (this.#record?.read().exit ?? null) !== null;
  }

  stop(order: StopOrder): void {
    this.#rememberInTime();
    void this.#control.stop(order);
  }

  /** As long as its end was not told, nobody has asked for its status, and its pid is nobody else's. */
  #rememberInTime(): void {
    if (!this.#control.isStopping && !this.#exited) this.remember();
  }

  kill(): void {
    this.#rememberInTime();
    void this.#control.kill();
  }

  forward(signal: NodeJS.Signals): void {
    if (!this.#exited) this.#control.forward(signal);
  }

  async suspend(): Promise<void> {
    if (!this.#control.isStopping && !this.#exited) await this.#control.suspend();
  }

  resume(): void {
    this.#control.resume();
  }

  gone(order: StopOrder): Promise<string | null> {
    return this.#control.gone(order);
  }

  leave(): void {
    this.#orphans.spare(this.#control.members);
  }

  letGo(): void {
    this.#isLetGo = true;
    this.#files.close();
    this.#main.unref();
  }
}

/** By which an attempt's tree is known, also when its main process is not. */
export function marksOf(name: TreeName, files: SlotFiles | null, group: ControlGroup | null): TreeMarks {
  const locked = files?.lockedFiles() ?? new Set<string>();
  return { cookie: `${TREE_VARIABLE}=${cookieOf(name)}`, leader: null, files: locked, group };
}
