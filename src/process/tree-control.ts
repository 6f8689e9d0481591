import type { Clock } from "../clock.ts";
import { hunt } from "./hunt.ts";
import type { StopOrder } from "./port.ts";
import { commandLine, readStat, type ProcessStat } from "./proc.ts";
import type { SlotFiles } from "./slot-files.ts";
import { standStill, terminate, type Target } from "./terminate.ts";
import { membersOf, sendSignal, signalTree, type TreeMarks } from "./tree.ts";

/** What is known of a tree, and how. */
export interface Knowledge {
  readonly files: SlotFiles;
  /** Asked anew each time: the start of the main process may be learnt late. */
  marks(): TreeMarks;
  /** How many programs, from the main process downwards, only keep the end of the job itself. */
  readonly keepers: number;
  /** The pids of processes that this worker has adopted, of whatever tree; absent: it adopts none of this one. */
  readonly adopted?: () => readonly number[];
  /** Asked when nobody has a file of it open or is in its group any more; false: nothing else is left of it. */
  mayHaveLeft(): boolean | Promise<boolean>;
}

/**
 * So is a copy of one that has not become the next yet: a signal would be lost on it, since it begins with its traps.
 *
 * @param first the outermost keeper.
 * @param count how many there are, each the parent of the next.
 */
export function isKeeper({ pid, parent }: ProcessStat, first: number, count: number): boolean {
  if (count === 0) return false;
  if (pid === first) return true;
  const depth = depthBelow(first, parent, count);
  return depth < count - 1 || (depth === count - 1 && commandLine(pid) === commandLine(parent));
}

/** How far a process is below one of which it is no further away than `most`; infinite: it is not. */
function depthBelow(first: number, pid: number, most: number): number {
  let at = pid;
  for (let depth = 0; depth < most; depth += 1) {
    if (at === first) return depth;
    at = readStat(at)?.parent ?? 0;
  }
  return Number.POSITIVE_INFINITY;
}

/** What can be done to a tree by those who know its marks, whoever its parent is. */
export class TreeControl {
  readonly #known: Knowledge;
  readonly #clock: Clock;
  readonly #target: Target;
  #stopping: Promise<ProcessStat[]> | null = null;
  #isHurried = false;

  constructor(known: Knowledge, clock: Clock) {
    this.#known = known;
    this.#clock = clock;
    this.#target = {
      members: () => this.#find(),
      signal: (members, signal) => signalTree(known.marks(), members, signal),
      isHeld: () => this.#isHeld(),
      isKeeper: (member) => isKeeper(member, known.marks().leader?.pid ?? 0, known.keepers),
    };
  }

  readonly members = (): ProcessStat[] => this.#target.members();

  get isStopping(): boolean {
    return this.#stopping !== null;
  }

  /** Kept when all has been done to end it. */
  stop(order: StopOrder): Promise<unknown> {
    this.#stopping ??= terminate(this.#target, order, this.#clock, () => this.#isHurried);
    return this.#stopping;
  }

  kill(): Promise<unknown> {
    this.#isHurried = true;
    const done = this.stop({ signal: "KILL", graceMs: 0 });
    this.#target.signal(this.#target.members(), "SIGKILL");
    return done;
  }

  /** To the group of the main process, but for the programs in it that only keep the end of the job. */
  forward(signal: NodeJS.Signals): void {
    const { leader } = this.#known.marks();
    if (!leader || leader.pid <= 1) return;
    if (this.#known.keepers === 0) return sendSignal(-leader.pid, signal);
    const inGroup = this.members().filter((member) => member.group === leader.pid && !this.#target.isKeeper?.(member));
    this.#target.signal(inGroup, signal);
  }

  suspend(): Promise<void> {
    return standStill(this.#target, this.#clock, () => this.#stopping !== null);
  }

  resume(): void {
    this.#target.signal(this.#target.members(), "SIGCONT");
  }

  async gone(order: StopOrder): Promise<string | null> {
    if (this.#stopping === null && (await this.#isGone())) return null;
    void this.stop(order);
    const left = (await this.#stopping) ?? [];
    if (left.length === 0 && !this.#isHeld()) return null;
    const pids = left.map((member) => `${member.pid} (state ${member.state})`).join(", ");
    const unknown = "unknown ones that hold its output open, or are in its control group";
    return `processes of the job could not be ended: ${pids || unknown}`;
  }

  async #isGone(): Promise<boolean> {
    if (this.#isHeld()) return false;
    return !(await this.#known.mayHaveLeft()) || this.#target.members().length === 0;
  }

  #find(): ProcessStat[] {
    const { adopted } = this.#known;
    const marks = this.#known.marks();
    const members = membersOf(marks);
    if (members.length > 0 || !adopted || !this.#isHeld()) return members;
    return hunt({ cookie: marks.cookie, isHeld: () => this.#isHeld(), adopted }, this.#clock);
  }

  /** Something of it lives, whether it is found or not. */
  #isHeld(): boolean {
    return !this.#known.files.areFree() || this.#known.marks().group?.isPopulated() === true;
  }
}
