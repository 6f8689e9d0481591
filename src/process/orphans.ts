import { closeSync, openSync, readSync } from "node:fs";
import { codeOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";
import { readStat, seesProcesses, type ProcessStat } from "./proc.ts";

const PR_SET_CHILD_SUBREAPER = 36;

/** Longest text that the kernel gives of our children at once. */
const BUFFER_BYTES = 64 * 1024;

/**
 * This process adopts what its jobs orphan (prctl(2), PR_SET_CHILD_SUBREAPER), so that a process which left session,
 * group and environment behind still shows up among our children. The dead ones among them are ours to reap; waiting
 * for just any child would take the statuses of the jobs away from the runtime.
 */
export class Orphans {
  readonly #libc: Libc;
  readonly #jobs = new Set<number>();
  readonly #spared: (() => readonly ProcessStat[])[] = [];
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #children: number | null;

  /** `mayAdopt`: no other part of this program has children, which would be taken for orphans. */
  constructor(libc: Libc, mayAdopt = true) {
    this.#libc = libc;
    // Who cannot see his children cannot reap them either.
    const adopting = mayAdopt && seesProcesses() && libc.prctl(PR_SET_CHILD_SUBREAPER, 1) === 0;
    this.#children = adopting ? openChildren() : null;
    // What was our child before we started anything (`sleep 9 & exec reeve work`) is no orphan of a job.
    for (const pid of this.strangers()) this.joined(pid);
  }

  /** Whether all orphans come to this process, and can be seen. */
  get areOurs(): boolean {
    return this.#children !== null;
  }

  /** A main process of a job: its status is the runtime's to ask for. */
  joined(pid: number): void {
    this.#jobs.add(pid);
  }

  left(pid: number): void {
    this.#jobs.delete(pid);
  }

  /** Of a tree that is left to itself: they are nobody's strays. `members` finds them. */
  spare(members: () => readonly ProcessStat[]): void {
    this.#spared.push(members);
  }

  close(): void {
    if (this.#children !== null) closeSync(this.#children);
  }

  /** Strangers that are nobody's any more, as far as can be known. */
  strays(): ProcessStat[] {
    const strangers = this.strangers();
    if (strangers.length === 0) return [];
    const trees = this.#spared.map((members) => members()).filter((members) => members.length > 0);
    if (trees.length === 0) this.#spared.length = 0;
    const spared = new Set(trees.flat().map(({ pid }) => pid));
    return strangers.flatMap((pid) => (spared.has(pid) ? [] : (readStat(pid) ?? [])));
  }

  /** Living children that are no job's main process. The dead ones are reaped on the way. */
  strangers(): number[] {
    if (this.#children === null) return [];
    const size = readSync(this.#children, this.#buffer, 0, BUFFER_BYTES, 0);
    if (size === 0) return [];
    const pids = new TextDecoder().decode(this.#buffer.subarray(0, size)).trim().split(" ").map(Number);
    return pids.filter((pid) => pid > 1 && !this.#jobs.has(pid) && !this.#reap(pid));
  }

  #reap(pid: number): boolean {
    return readStat(pid)?.state === "Z" && this.#libc.reap(pid) === pid;
  }
}

function openChildren(): number | null {
  try {
    return openSync(`/proc/self/task/${process.pid}/children`, "r");
  } catch (error) {
    // A kernel built without it, or a /proc that is not ours.
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}
