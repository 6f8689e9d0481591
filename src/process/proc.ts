import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs";
import { codeOf } from "../errors.ts";
import { withSpare } from "./spare.ts";

/** A process as `/proc/PID/stat` shows it: proc(5). */
export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks after boot: with the pid it names one process for good. */
  readonly startTime: number;
}

/** Undefined when there is no such process (any more), or where /proc tells of others. */
export function readStat(pid: number): ProcessStat | undefined {
  if (!seesProcesses()) return undefined;
  const text = readShort(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may itself hold parentheses and spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index]);
  return {
    pid,
    state: fields[0] ?? "?",
    parent: number(1),
    group: number(2),
    session: number(3),
    startTime: number(19),
  };
}

/** USER_HZ, see time(7): what the kernel tells of processor time is in these, on all machines that there are. */
const TICKS_PER_SECOND = 100;

/** Processor time of a process with the children that it has waited for, and its resident memory. */
export function readUsage(pid: number): { readonly cpuSeconds: number; readonly memoryBytes: number } | undefined {
  const [stat, status] = [readShort(`/proc/${pid}/stat`), readShort(`/proc/${pid}/status`)];
  if (stat === undefined || status === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return {
    cpuSeconds: ticks / TICKS_PER_SECOND,
    memoryBytes: Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) * 1024,
  };
}

/** A zombie has ended; only its parent has not asked. */
export const isAlive = (stat: ProcessStat | undefined): stat is ProcessStat =>
  stat !== undefined && stat.state !== "Z" && stat.state !== "X";

/** One after the other, each as it is when its turn comes; the newest first, since they are the soonest gone. */
export function* allProcesses(): Generator<ProcessStat> {
  if (!seesProcesses()) return;
  const pids = withSpare(() => readdirSync("/proc"))
    .map(Number)
    .filter(Number.isInteger);
  for (const pid of pids.toSorted((a, b) => b - a)) {
    const stat = readStat(pid);
    if (stat) yield stat;
  }
}

/** The entries (`NAME=value`) of the environment that the process was started with. */
export const environmentOf = (pid: number): string[] => readProc(`/proc/${pid}/environ`)?.split("\0") ?? [];

export const hasEnvironment = (pid: number, entry: string): boolean => environmentOf(pid).includes(entry);

/** Its children, in this moment: proc(5), where the kernel was built with it. */
export const childrenOf = (pid: number): number[] =>
  (readProc(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter(Boolean).map(Number);

/** The argv as one text, with NUL after each; empty for what is gone. */
export const commandLine = (pid: number): string => readProc(`/proc/${pid}/cmdline`) ?? "";

/** What it has open (`device:inode`), by descriptor. */
export function filesOf(pid: number): ReadonlyMap<string, string> {
  try {
    const names = withSpare(() => readdirSync(`/proc/${pid}/fd`));
    return new Map(names.map((name) => [name, fileName(`/proc/${pid}/fd/${name}`)]));
  } catch (error) {
    if (isAbsence(error)) return new Map();
    throw error;
  }
}

/**
 * Whether the process has inherited a lock with this descriptor. Who has only opened the file by its name (`tail -f`, a
 * backup) has not: proc(5), `lock` in fdinfo.
 */
export const isLockHolder = (pid: number, descriptor: string): boolean =>
  /^lock:/m.test(readProc(`/proc/${pid}/fdinfo/${descriptor}`) ?? "");

/** `device:inode`, or an empty text for what is not there. */
export function fileName(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (isAbsence(error)) return "";
    throw error;
  }
}

/** What names this boot of this machine; containers share it. */
export const bootId = (): string => readProc("/proc/sys/kernel/random/boot_id")?.trim() ?? "";

/** What names the namespace in which our pids mean something. */
export function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch (error) {
    if (isAbsence(error)) return "";
    throw error;
  }
}

/** Whether /proc shows our own pids: not so where it was mounted outside of our pid namespace, or not at all. */
export function procIsOurs(): boolean {
  try {
    return readlinkSync("/proc/self") === String(process.pid);
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

let isSeen: boolean | undefined;

/** The same, asked once. Where it is not so (macOS, a container without one), only process groups can be reached. */
export const seesProcesses = (): boolean => (isSeen ??= procIsOurs());

/** The soft limit of open files of our parent, which is what it gave us: both runtimes raise their own. */
export function inheritedOpenFilesLimit(): number | undefined {
  const line = readProc(`/proc/${process.ppid}/limits`)?.match(/^Max open files +(\d+)/m);
  return line ? Number(line[1]) : undefined;
}

/** Longer than any line of `stat` can be. */
const buffer = Buffer.allocUnsafe(2048);

/** What one read gives: half the system calls of readFile, for what is read for every job. */
function readShort(path: string): string | undefined {
  try {
    return withSpare(() => {
      const descriptor = openSync(path, "r");
      try {
        return buffer.toString("latin1", 0, readSync(descriptor, buffer, 0, buffer.length, 0));
      } finally {
        closeSync(descriptor);
      }
    });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function readProc(path: string): string | undefined {
  try {
    return withSpare(() => readFileSync(path, "utf8"));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** Gone meanwhile, another user's, or a system without /proc. */
function isAbsence(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR"].includes(codeOf(error) ?? "");
}
