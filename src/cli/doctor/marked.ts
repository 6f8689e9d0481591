import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "../../clock.ts";
import { codeOf } from "../../errors.ts";

/** Seconds after which what nobody is left to end (we may be killed ourselves) ends by itself. */
const LONGEST_S = 300;
/** Between two passes of KILL, in milliseconds. */
const PASS_MS = 10;

/** A living process that was found by its mark. */
export interface Marked {
  readonly mark: string;
  readonly pid: number;
  /** It is nothing but a `sleep` for the mark's time. */
  readonly isSleeper: boolean;
  readonly isStopped: boolean;
}

/**
 * Marks are words that processes have among their arguments, and a time for `sleep`: what has one is found, whatever
 * else it has left behind, and by nothing that whoever ends it goes by.
 */
export class Marks {
  readonly #clock: Clock;
  readonly #holdsMs: number;
  readonly #prefix: string;
  #made = 0;
  #seen: { readonly at: number; readonly all: readonly Marked[] } = { at: Number.NEGATIVE_INFINITY, all: [] };

  /** `holdsMs`: milliseconds for which one look at all processes answers for all marks. */
  constructor(clock: Clock, holdsMs = 10) {
    this.#clock = clock;
    this.#holdsMs = holdsMs;
    const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.#prefix = `${LONGEST_S}.${String(random).padStart(10, "0")}`;
  }

  make(): string {
    this.#made += 1;
    return `${this.#prefix}${String(this.#made).padStart(3, "0")}`;
  }

  /** Those that lived a moment ago. */
  recent(mark: string): Marked[] {
    if (this.#clock.monotonic() - this.#seen.at > this.#holdsMs) this.living();
    return this.#seen.all.filter((one) => one.mark === mark);
  }

  /** Those that live now. */
  living(mark?: string): Marked[] {
    const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? this.#look(name) : []));
    this.#seen = { at: this.#clock.monotonic(), all };
    return mark === undefined ? all : all.filter((one) => one.mark === mark);
  }

  #look(pid: string): Marked[] {
    const words = textOf(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
    const mark = words.find((word) => word.startsWith(this.#prefix));
    if (mark === undefined) return [];
    const stat = textOf(`/proc/${pid}/stat`);
    const state = stat.charAt(stat.lastIndexOf(")") + 2);
    if (["", "Z", "X"].includes(state)) return [];
    return [{ mark, pid: Number(pid), isSleeper: words.length === 2, isStopped: state === "T" }];
  }

  /** KILL to all that have a mark, until none has. */
  async endAll(): Promise<void> {
    for (let all = this.living(); all.length > 0; all = this.living()) {
      for (const { pid } of all) kill(pid);
      await this.#clock.sleep(PASS_MS);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}

/** Empty for a process that has just ended, or that may not be looked at. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(codeOf(error) ?? "")) return "";
    throw error;
  }
}
