import { accessSync, closeSync, constants, existsSync } from "node:fs";
import { basename, join } from "node:path";
import { codeOf, messageOf } from "../errors.ts";
import { LOCK_EX, LOCK_NB } from "./probes.ts";
import { randomHex } from "./random.ts";
import type { Libc } from "../runtime/port.ts";
import { ControlGroup, groupsIn, openDirectory, removeGroups, unlessGone } from "./control-group.ts";

/** So many groups are made before one without a lock is taken: there may be none to be had. */
const TRIES = 10;

const NAME = /^reeve-[0-9a-f]{12}-\d+$/;

/**
 * Where this worker makes its groups: below its own, so that what bounds the worker bounds its jobs. As long as it
 * lives it has a lock on each, so that others can tell which are nobody's.
 */
export class GroupHome {
  readonly directory: string;
  readonly #libc: Libc;
  readonly #prefix = `reeve-${randomHex(6)}`;
  #made = 0;
  /** Groups that something still lived in when their slot was done with them. */
  readonly #left = new Set<string>();

  constructor(directory: string, libc: Libc) {
    this.directory = directory;
    this.#libc = libc;
  }

  /** @throws an Error with an errno `code` where no group can be made. */
  make(): ControlGroup {
    this.#removeLeft();
    for (let left = TRIES; ; left -= 1) {
      const group = this.#tryToMake(left <= 1);
      if (group) return group;
    }
  }

  /** Null: whoever looks for what is nobody's was faster than our lock, and removes it, or has. */
  #tryToMake(isLastTry: boolean): ControlGroup | null {
    this.#made += 1;
    try {
      const group = ControlGroup.make(join(this.directory, `${this.#prefix}-${this.#made}`));
      if ((this.#lock(group.descriptor) || isLastTry) && existsSync(group.path)) return group;
      this.remove(group);
      return null;
    } catch (error) {
      if (isLastTry || codeOf(error) !== "ENOENT") throw error;
      return null;
    }
  }

  #lock(descriptor: number): boolean {
    return this.#libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0;
  }

  /** At once, or when what lives in it has gone. */
  remove(group: ControlGroup): void {
    if (!group.remove()) this.#left.add(group.path);
  }

  #removeLeft(): void {
    for (const path of this.#left) if (removeGroups(path)) this.#left.delete(path);
  }

  /** Removes the empty groups of workers that are dead. */
  sweep(): void {
    this.#removeLeft();
    for (const path of groupsIn(this.directory)) if (NAME.test(basename(path))) this.#removeIfNobodys(path);
  }

  #removeIfNobodys(path: string): void {
    const descriptor = unlessGone(() => openDirectory(path));
    if (descriptor === undefined) return;
    if (this.#lock(descriptor)) removeGroups(path);
    closeSync(descriptor);
  }
}

/** Whether a path that was written down is that of a group which a worker made, and which is still there. */
export const isGroupOfAWorker = (path: string): boolean =>
  NAME.test(basename(path)) && existsSync(join(path, "cgroup.kill"));

/** The first of our own groups' directories below which groups can be made, or a sentence that says why there is none. */
export function findHome(directories: readonly string[], libc: Libc): GroupHome | string {
  let why = "no control groups of version 2 are mounted here";
  for (const directory of directories) {
    const home = new GroupHome(directory, libc);
    const problem = problemOf(home);
    if (problem === null) return home;
    why = problem;
  }
  return why;
}

/** So much of it is written down for whoever recovers a dead worker. */
const LONGEST_PATH = 300;

function problemOf(home: GroupHome): string | null {
  if (encodeURI(home.directory).length > LONGEST_PATH)
    return `the name of the control group ${home.directory} is too long`;
  try {
    const group = home.make();
    const canKill = existsSync(join(group.path, "cgroup.kill"));
    home.remove(group);
    accessSync(join(home.directory, "cgroup.procs"), constants.W_OK);
    return canKill ? null : "this kernel cannot kill a control group as a whole (Linux 5.14 can)";
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return `no control group can be made in ${home.directory}: ${messageOf(error)}`;
  }
}
