import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { codeOf } from "../../src/errors.ts";

/** A text of /proc; undefined when the process is gone. */
export function procText(pid: number, file: string): string | undefined {
  return orGone(() => readFileSync(`/proc/${pid}/${file}`, "utf8"));
}

function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** One field of /proc/PID/status. */
export function statusOf(pid: number, field: string): string | undefined {
  return procText(pid, "status")?.match(new RegExp(`^${field}:\\s*(.*)$`, "m"))?.[1];
}

/** `R`, `S`, `T`, `Z`, …; undefined when it is gone. */
export const stateOf = (pid: number): string | undefined => statusOf(pid, "State")?.charAt(0);

/** A zombie is not living. */
export function isLiving(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state !== "Z" && state !== "X";
}

export interface Ids {
  readonly parent: number;
  readonly group: number;
  readonly session: number;
}

export function idsOf(pid: number): Ids | undefined {
  const stat = procText(pid, "stat");
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields && { parent: Number(fields[1]), group: Number(fields[2]), session: Number(fields[3]) };
}

/** The numbers of its open descriptors. */
export function descriptorsOf(pid: number): number[] | undefined {
  return orGone(() => readdirSync(`/proc/${pid}/fd`).map(Number))?.toSorted((a, b) => a - b);
}

/** The paths that it has open. */
export const filesOf = (pid: number): string[] =>
  (descriptorsOf(pid) ?? []).flatMap((descriptor) => orGone(() => readlinkSync(`/proc/${pid}/fd/${descriptor}`)) ?? []);

/** The living processes that have `text` in one of their arguments. */
export function livingWithArgument(text: string): number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => pid !== process.pid && isLiving(pid) && procText(pid, "cmdline")?.includes(text));
}

/** A text that no other process has among its arguments; a number, so that `sleep` takes it. */
export function newMark(): string {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return `1000.${String(random).padStart(10, "0")}`;
}

/** What a test left running must not disturb the next. */
export function endAll(pids: Iterable<number>): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (codeOf(error) !== "ESRCH") throw error;
    }
  }
}
