import { codeOf } from "../errors.ts";
import type { Leader } from "./slot-files.ts";
import { allProcesses, hasEnvironment, hasOpen, isAlive, readStat, type ProcessStat } from "./proc.ts";

/** How the members of one attempt's tree are known. */
export interface TreeMarks {
  /** The environment entry (`NAME=value`) that every process of the tree inherits. */
  readonly cookie: string;
  /** The main process, which leads a session and a group; null where it is not known. */
  readonly leader: Leader | null;
  /** The files (`device:inode`) whose locks the tree inherits. */
  readonly files: ReadonlySet<string>;
}

/**
 * Every living process of the tree: of the leader's session or group, with the cookie, with an inherited file open, or
 * a descendant of one of these.
 */
export function membersOf(marks: TreeMarks): ProcessStat[] {
  const all = allProcesses().filter((stat) => isAlive(stat) && stat.pid !== process.pid);
  const sessions = leaderIsTheOne(marks) ? marks.leader?.pid : undefined;
  const members = new Map<number, ProcessStat>();
  for (const stat of all) {
    const inSession = sessions !== undefined && (stat.session === sessions || stat.group === sessions);
    if (inSession || hasEnvironment(stat.pid, marks.cookie) || hasOpen(stat.pid, marks.files)) {
      members.set(stat.pid, stat);
    }
  }
  return withDescendants(members, all);
}

/**
 * A session's number is not given to a new process while the session has members, so a leader that is gone may still
 * name it; one that is there must be the one that we started.
 */
function leaderIsTheOne({ leader }: TreeMarks): boolean {
  if (!leader || leader.pid <= 1) return false;
  const stat = readStat(leader.pid);
  return !stat || stat.startTime === leader.startTime;
}

function withDescendants(members: Map<number, ProcessStat>, all: readonly ProcessStat[]): ProcessStat[] {
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const stat of all) if (members.has(stat.parent)) members.set(stat.pid, stat);
  }
  return [...members.values()];
}

/** Sends a signal to those of the processes that are still the ones they were. */
export function signalAll(members: readonly ProcessStat[], signal: NodeJS.Signals): void {
  for (const { pid, startTime } of members) {
    if (pid > 1 && readStat(pid)?.startTime === startTime) sendSignal(pid, signal);
  }
}

/** A process that has just ended is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}
