import type { Clock } from "../clock.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { ResourceUsage, Runtime } from "../runtime/port.ts";
import { cookieOf, TREE_VARIABLE } from "./environment.ts";
import type { Inheritance } from "./inheritance.ts";
import type { Orphans } from "./orphans.ts";
import {
  SpawnFailed,
  type Launch,
  type RunningTree,
  type Slot,
  type StopOrder,
  type Takings,
  type TreeExit,
} from "./port.ts";
import { isAlive, readStat, type ProcessStat } from "./proc.ts";
import { SlotFiles } from "./slot-files.ts";
import { placesOf, spawn } from "./spawn.ts";
import { standStill, terminate, type Target } from "./terminate.ts";
import { membersOf, signalAll, type TreeMarks } from "./tree.ts";

/** What all running trees of this worker share. */
export interface Supervision {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly orphans: Orphans;
  /** What children inherit and this process itself must not have. */
  readonly inheritance: Inheritance;
  /** The standard input of jobs without a body. */
  readonly devNull: number;
}

/** A slot on the file system, whose jobs are real processes. */
export class FileSlot implements Slot {
  readonly directory: string;
  readonly #files: SlotFiles;
  readonly #supervision: Supervision;
  /** What the attempt left has been taken in, or a part of it: a full disk may have been in the way. */
  #again = false;

  constructor(directory: string, supervision: Supervision) {
    this.directory = directory;
    this.#files = new SlotFiles(directory, supervision.runtime.libc());
    this.#supervision = supervision;
  }

  start(launch: Launch): RunningTree {
    try {
      this.#again = false;
      this.#files.begin(launch.limits);
      const tree = new ProcessTree(launch, this.#files, this.#supervision);
      this.#files.keep(this.#supervision.clock);
      return tree;
    } catch (error) {
      const errno = codeOf(error);
      if (errno !== "ENOSPC" && errno !== "EMFILE" && errno !== "ENFILE") throw error;
      throw new SpawnFailed(errno, `the files of the job could not be made: ${messageOf(error)}`, { cause: error });
    }
  }

  places(launch: Launch): Record<string, string> {
    return placesOf(launch, this.#files);
  }

  collect(launch: Launch): Takings {
    const again = this.#again;
    this.#again = true;
    return this.#files.collect(launch, again);
  }

  close(): void {
    this.#files.close();
  }
}

/** No process has this number, and no signal goes to it. */
const NOBODY = { pid: 0, startTime: 0 };

/** One main process and all that comes of it. */
class ProcessTree implements RunningTree {
  readonly pid: number;
  readonly exited: Promise<TreeExit>;
  readonly #files: SlotFiles;
  readonly #supervision: Supervision;
  readonly #launch: Launch;
  #marks: TreeMarks;
  #exited = false;
  #isHurried = false;
  #stopping: Promise<ProcessStat[]> | null = null;
  readonly #target: Target = {
    members: () => membersOf(this.#marks),
    signal: signalAll,
    isHeld: () => !this.#files.areFree(),
  };

  constructor(launch: Launch, files: SlotFiles, supervision: Supervision) {
    const ended = Promise.withResolvers<TreeExit>();
    this.#files = files;
    this.#supervision = supervision;
    // Before the spawn: what the tree writes belongs to this attempt, also when we are killed in the middle.
    files.identify(launch, NOBODY);
    this.pid = spawn(launch, files, supervision, (exit) => {
      this.#exited = true;
      supervision.orphans.left(this.pid);
      ended.resolve({ ...exit, usage: exit.usage && withoutOurPeak(exit.usage) });
    });
    supervision.orphans.joined(this.pid);
    this.exited = ended.promise;
    this.#launch = launch;
    this.#marks = {
      cookie: `${TREE_VARIABLE}=${cookieOf(launch)}`,
      leader: { pid: this.pid, startTime: 0 },
      files: files.lockedFiles(),
    };
    files.identify(launch, { pid: this.pid, startTime: 0 });
  }

  remember(): void {
    const leader = { pid: this.pid, startTime: readStat(this.pid)?.startTime ?? 0 };
    this.#marks = { ...this.#marks, leader };
    this.#files.identify(this.#launch, leader);
  }

  hasEnded(): boolean {
    return this.#exited || !isAlive(readStat(this.pid));
  }

  stop(order: StopOrder): void {
    // As long as its end was not told, nobody has asked for its status, and its pid is nobody else's.
    if (this.#stopping === null && !this.#exited) this.remember();
    this.#stopping ??= this.#end(order);
  }

  kill(): void {
    this.#isHurried = true;
    this.stop({ signal: "KILL", graceMs: 0 });
    signalAll(membersOf(this.#marks), "SIGKILL");
  }

  async suspend(): Promise<void> {
    if (this.#stopping === null && !this.#exited) await standStill(this.#target, this.#supervision.clock);
  }

  resume(): void {
    this.#target.signal(this.#target.members(), "SIGCONT");
  }

  leave(): void {
    this.#supervision.orphans.spare(this.#target.members);
  }

  async gone(order: StopOrder): Promise<string | null> {
    if (this.#stopping === null && this.#isGone()) return null;
    this.stop(order);
    const left = (await this.#stopping) ?? [];
    if (left.length === 0 && this.#files.areFree()) return null;
    const pids = left.map((member) => `${member.pid} (state ${member.state})`);
    return `processes of the job could not be ended: ${pids.join(", ") || "unknown ones that hold its output open"}`;
  }

  /**
   * The quick look after an ordinary end: nobody has its files open, and this worker, to which all orphans come, has
   * adopted none that is its.
   */
  #isGone(): boolean {
    if (!this.#files.areFree()) return false;
    return this.#supervision.orphans.strangers().length === 0 || membersOf(this.#marks).length === 0;
  }

  #end(order: StopOrder): Promise<ProcessStat[]> {
    return terminate(this.#target, order, this.#supervision.clock, () => this.#isHurried);
  }
}

/** A child starts with its parent's peak as its own: only a higher one says something of the child. */
function withoutOurPeak(usage: ResourceUsage): ResourceUsage {
  const own = usage.peakBytes === null ? 0 : process.resourceUsage().maxRSS * 1024;
  return usage.peakBytes !== null && usage.peakBytes > own ? usage : { ...usage, peakBytes: null };
}
