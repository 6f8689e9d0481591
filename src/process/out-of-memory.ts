import { readFileSync } from "node:fs";
import { codeOf } from "../errors.ts";

/** Notices when the kernel has killed processes because the machine's memory was used up. */
export class MemoryWatch {
  #seen = kills();

  /** Whether that happened since it was asked last. Which processes they were the kernel does not say. */
  hasKilled(): boolean {
    const before = this.#seen;
    this.#seen = kills();
    return this.#seen > before;
  }
}

/** Of all processes since the boot: proc(5), /proc/vmstat. */
function kills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "latin1"))?.[1] ?? 0);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  }
}
