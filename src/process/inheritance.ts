import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { codeOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";
import { inheritedOpenFilesLimit } from "./proc.ts";

/** How much sooner the kernel ends a job than its worker when memory runs out. */
const OOM_STEP = 200;
const OOM_MOST = 1000;

/**
 * What a child inherits at the spawn and we must not keep: the soft limit of open files that this process was started
 * with (both runtimes raise their own), and an `oom_score_adj` above ours. Nothing else happens meanwhile.
 */
export class Inheritance {
  readonly #libc: Libc;
  readonly #openFiles: { readonly children: number; readonly own: number } | null;
  readonly #memory: { readonly descriptor: number; readonly children: string; readonly own: string } | null;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#openFiles = openFilesLimits();
    this.#memory = memoryScores();
  }

  during<T>(spawn: () => T): T {
    this.#set("children");
    try {
      return spawn();
    } finally {
      this.#set("own");
    }
  }

  close(): void {
    if (this.#memory) closeSync(this.#memory.descriptor);
  }

  #set(whose: "children" | "own"): void {
    if (this.#openFiles) this.#libc.setOpenFilesLimit(this.#openFiles[whose]);
    if (this.#memory) writeSync(this.#memory.descriptor, this.#memory[whose], 0);
  }
}

/** Null: nothing to put back. */
function openFilesLimits() {
  const children = inheritedOpenFilesLimit();
  const own = Number(readOwn("/proc/self/limits")?.match(/^Max open files +(\d+)/m)?.[1]);
  return children === undefined || !own || children >= own ? null : { children, own };
}

/** Null: the kernel does not let us raise our score and lower it again. */
function memoryScores() {
  const own = readOwn("/proc/self/oom_score_adj")?.trim();
  if (own === undefined) return null;
  const children = String(Math.min(Number(own) + OOM_STEP, OOM_MOST));
  try {
    const descriptor = openSync("/proc/self/oom_score_adj", "r+");
    writeSync(descriptor, children, 0);
    writeSync(descriptor, own, 0);
    return { descriptor, children, own };
  } catch (error) {
    if (codeOf(error) === "EACCES" || codeOf(error) === "EPERM") return null;
    throw error;
  }
}

function readOwn(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
