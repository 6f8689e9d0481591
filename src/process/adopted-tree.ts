import type { Clock } from "../clock.ts";
import { watchDirectory } from "../watch.ts";
import type { OutputLimits } from "./output-keeper.ts";
import type { RunningTree, StopOrder, TreeExit, TreeName } from "./port.ts";
import { isAlive, readStat } from "./proc.ts";
import type { ExitRecord, KeptExit } from "./shim.ts";
import type { SlotFiles } from "./slot-files.ts";
import { TreeControl } from "./tree-control.ts";
import type { TreeMarks } from "./tree.ts";

/** For what tells nobody: a main process that is gone without a word. */
const SLOWEST_LOOK_MS = 1000;

export interface Found {
  readonly name: TreeName;
  readonly limits: OutputLimits;
  readonly files: SlotFiles;
  readonly record: ExitRecord;
  readonly marks: TreeMarks;
  readonly keepers: number;
  /** The shell that keeps the end, whether it lives or not. */
  readonly pid: number;
}

/** A tree that an earlier worker started. Its parent is another now, so its end is read from where it is kept. */
export class AdoptedTree implements RunningTree {
  readonly pid: number;
  readonly exited: Promise<TreeExit>;
  readonly #found: Found;
  readonly #clock: Clock;
  readonly #control: TreeControl;
  readonly #ended = Promise.withResolvers<TreeExit>();
  #unwatch: () => void = () => {};
  #cancel: () => void = () => {};
  #isOver = false;

  constructor(found: Found, clock: Clock) {
    const { files, marks, keepers } = found;
    this.pid = found.pid;
    this.exited = this.#ended.promise;
    this.#found = found;
    this.#clock = clock;
    this.#control = new TreeControl(
      { files, marks: () => marks, keepers, mayHaveLeft: () => marks.group === null },
      clock,
    );
    this.#look();
    if (this.#isOver) return;
    files.keep(clock, found.limits);
    this.#unwatch = watchDirectory(found.record.directory, () => this.#look());
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#look();
    if (!this.#isOver) this.#cancel = this.#clock.after(SLOWEST_LOOK_MS, () => this.#lookAgain());
  }

  #look(): void {
    if (this.#isOver) return;
    const lives = this.#keeperLives();
    // Read after the look at the keeper, whose last deed it is to write.
    const { exit } = this.#found.record.read();
    if (exit === null && lives) return;
    this.#finish();
    this.#ended.resolve(this.#exitOf(exit));
  }

  #keeperLives(): boolean {
    const { leader } = this.#found.marks;
    const stat = leader === null ? undefined : readStat(leader.pid);
    return isAlive(stat) && stat.startTime === leader?.startTime;
  }

  /** Where the keeper said nothing, a signal that it could not catch has ended it: ours, or nobody knows whose. */
  #exitOf(kept: KeptExit | null): TreeExit {
    const unknown = { usage: null, failure: null };
    if (kept !== null) return { ...kept, ...unknown };
    return { code: null, signal: this.#control.isStopping ? "SIGKILL" : null, ...unknown };
  }

  #finish(): void {
    this.#isOver = true;
    this.#unwatch();
    this.#cancel();
  }

  hasEnded(): boolean {
    return this.#isOver || !this.#keeperLives() || this.#found.record.read().exit !== null;
  }

  remember(): void {
    const { files, name, marks } = this.#found;
    files.identify(name, marks.leader ?? { pid: this.pid, startTime: 0 }, marks.group);
  }

  stop(order: StopOrder): void {
    this.#lookAfter(this.#control.stop(order));
  }

  kill(): void {
    this.#lookAfter(this.#control.kill());
  }

  /** If it went wrong, {@link gone} says so. */
  #lookAfter(ended: Promise<unknown>): void {
    const look = (): void => this.#look();
    ended.then(look, look);
  }

  async suspend(): Promise<void> {
    if (!this.#control.isStopping && !this.#isOver) await this.#control.suspend();
  }

  forward(signal: NodeJS.Signals): void {
    this.#control.forward(signal);
  }

  resume(): void {
    this.#control.resume();
  }

  gone(order: StopOrder): Promise<string | null> {
    return this.#control.gone(order);
  }

  /** What is left is no child of this process, which would not end it at its own end. */
  leave(): void {}

  letGo(): void {
    this.#finish();
    this.#found.files.close();
  }
}
