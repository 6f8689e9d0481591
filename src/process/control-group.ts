import { closeSync, constants, mkdirSync, openSync, readdirSync, readSync, rmdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../errors.ts";
import { withSpare } from "./spare.ts";

/** Longer than what the kernel says of a group's state; lists of processes are read in pieces of it. */
const buffer = Buffer.allocUnsafe(4096);

/** A directory of the version 2 hierarchy: all that is started in it stays in it, whatever session or parent it has. */
export class ControlGroup {
  readonly path: string;
  #directory: number | null = null;
  #events: number | null = null;
  #isSpent = false;

  constructor(path: string) {
    this.path = path;
  }

  static make(path: string): ControlGroup {
    mkdirSync(path, { mode: 0o755 });
    return new ControlGroup(path);
  }

  /** The open directory, by which a process can be started in it. */
  get descriptor(): number {
    return (this.#directory ??= openDirectory(this.path));
  }

  /** Whether a process lives in it or below it. */
  isPopulated(): boolean {
    return this.#state().startsWith("populated 1");
  }

  /**
   * Whether it is there, and a job can be started in it: nothing is left there, nothing would be frozen, and it was
   * never killed. Since Linux 6.14 what is started by clone3(2) in a group that was killed before dies at once.
   */
  isFresh(): boolean {
    if (this.#isSpent) return false;
    const state = this.#state();
    return state.startsWith("populated 0") && !state.includes("frozen 1");
  }

  /** An empty text when the group is gone. */
  #state(): string {
    return (
      unlessGone(() => {
        this.#events ??= openSync(join(this.path, "cgroup.events"), "r");
        return buffer.toString("latin1", 0, readSync(this.#events, buffer, 0, buffer.length, 0));
      }) ?? ""
    );
  }

  /** The processes in it and below it: a job may make groups of its own. */
  pids(): number[] {
    return this.isPopulated() ? pidsBelow(this.path) : [];
  }

  /** It may have been killed: no other job is to be started in it. */
  spend(): void {
    this.#isSpent = true;
  }

  /** KILL to all in it and below it, also to what is just being forked. */
  kill(): void {
    this.spend();
    unlessGone(() => write(join(this.path, "cgroup.kill"), "1"));
  }

  /** Whether it is gone now; what lives in it keeps it. */
  remove(): boolean {
    this.close();
    return removeGroups(this.path);
  }

  close(): void {
    for (const descriptor of [this.#directory, this.#events]) if (descriptor !== null) closeSync(descriptor);
    this.#directory = null;
    this.#events = null;
  }
}

export const openDirectory = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);

function pidsBelow(path: string): number[] {
  const own = unlessGone(() => read(join(path, "cgroup.procs"))) ?? "";
  // What is of another pid namespace is listed as 0.
  const pids = own.split("\n").map(Number).filter((pid) => pid > 1); // prettier-ignore
  return [...pids, ...groupsIn(path).flatMap(pidsBelow)];
}

/** Removes a group and those below it. False: something lives there. */
export function removeGroups(path: string): boolean {
  try {
    for (const inner of groupsIn(path)) if (!removeGroups(inner)) return false;
    rmdirSync(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EBUSY") return false;
    if (codeOf(error) === "ENOENT") return true;
    throw error;
  }
}

export function groupsIn(path: string): string[] {
  const entries = unlessGone(() => withSpare(() => readdirSync(path, { withFileTypes: true }))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
}

/** Without O_CREAT and O_TRUNC, which mean nothing there. */
export function write(path: string, text: string): void {
  withSpare(() => {
    const descriptor = openSync(path, constants.O_WRONLY);
    try {
      writeSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
  });
}

export function read(path: string): string {
  return withSpare(() => {
    const descriptor = openSync(path, "r");
    try {
      let text = "";
      for (let size = -1; size !== 0; text += buffer.toString("latin1", 0, size)) {
        size = readSync(descriptor, buffer, 0, buffer.length, null);
      }
      return text;
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Undefined for a group that was removed; and for a threaded one, whose processes its parent lists. */
export function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ENODEV", "EOPNOTSUPP"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}
