import { codeOf } from "../errors.ts";
import type { ControlGroup } from "./control-group.ts";
import type { Leader } from "./identity.ts";
import { look, type Seen } from "./look.ts";
import { readStat, seesProcesses, type ProcessStat } from "./proc.ts";

/** How the members of one attempt's tree are known. */
export interface TreeMarks {
  /** The environment entry (`NAME=value`) that every process of the tree inherits. */
  readonly cookie: string;
  /** The main process, which leads a session and a group; null where it is not known. */
  readonly leader: Leader | null;
  /** The files (`device:inode`) whose locks the tree inherits. */
  readonly files: ReadonlySet<string>;
  /** In which the tree was started; null: in none of its own. The other marks find what was moved out of it. */
  readonly group: ControlGroup | null;
}

/**
 * Every living process of the tree: in its control group, of the leader's session or group, with the cookie, with an
 * inherited lock, or a descendant of one of these. What began before its leader is none of it.
 */
export function membersOf(marks: TreeMarks): ProcessStat[] {
  if (!seesProcesses()) return unseenGroup(marks);
  const session = leaderIsTheOne(marks) ? marks.leader?.pid : undefined;
  const begun = marks.leader?.startTime ?? 0;
  const inGroup = new Set(marks.group?.pids());
  const all = look().filter(({ stat }) => stat.startTime >= begun);
  const isMember = (seen: Seen): boolean => {
    const inSession = session !== undefined && [seen.stat.session, seen.stat.group].includes(session);
    return inSession || inGroup.has(seen.stat.pid) || seen.hasEnvironment(marks.cookie) || seen.hasLockOn(marks.files);
  };
  const members = new Map(all.filter(isMember).map(({ stat }) => [stat.pid, stat]));
  const stats = all.map(({ stat }) => stat);
  return withDescendants(members, stats);
}

/** What stands for all of the main process's group, where nothing else can be known. */
function unseenGroup({ leader }: TreeMarks): ProcessStat[] {
  if (!leader || leader.pid <= 1 || !isThere(-leader.pid)) return [];
  const { pid, startTime } = leader;
  return [{ pid, state: "?", parent: process.pid, group: pid, session: pid, startTime }];
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
    if (codeOf(error) === "EPERM") return true;
    throw error;
  }
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

/**
 * The leader of a tree that nobody has watched for a while. Where it has ended, its number may have been somebody's who
 * has ended, too, and left others in a session of that name: it is our session if one in it has another mark of the tree.
 */
export function provenLeader(marks: TreeMarks): Leader | null {
  const { leader } = marks;
  if (!leader || readStat(leader.pid)) return leader;
  const others = membersOf({ ...marks, leader: null });
  return others.some(({ session, group }) => [session, group].includes(leader.pid)) ? leader : null;
}

function withDescendants(members: Map<number, ProcessStat>, all: readonly ProcessStat[]): ProcessStat[] {
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const stat of all) if (members.has(stat.parent)) members.set(stat.pid, stat);
  }
  return [...members.values()].toSorted(byAge);
}

/** Parents before their children: one that is told to end does not then see a child end, and start another. */
const byAge = (one: ProcessStat, other: ProcessStat): number => one.startTime - other.startTime || one.pid - other.pid;

/** Sends a signal to members of a tree; KILL also to what its control group holds by now. */
export function signalTree(marks: TreeMarks, members: readonly ProcessStat[], signal: NodeJS.Signals): void {
  if (signal === "SIGKILL") marks.group?.kill();
  signalAll(members, signal);
}

/**
 * Sends a signal to those of the processes that are still the ones they were. KILL goes to their groups as well: that
 * reaches all of a group in one moment, also one that forks and ends faster than we can look.
 */
export function signalAll(members: readonly ProcessStat[], signal: NodeJS.Signals): void {
  if (!seesProcesses()) return members.forEach(({ group }) => sendSignal(-group, signal));
  if (signal === "SIGKILL") killGroups(members);
  for (const { pid, startTime } of members) {
    if (pid > 1 && readStat(pid)?.startTime === startTime) sendSignal(pid, signal);
  }
}

/** A group's number is given to nobody else as long as one of it lives; whoever leads one later has begun later. */
function killGroups(members: readonly ProcessStat[]): void {
  const own = readStat(process.pid)?.group;
  const groups = new Map(members.map((member) => [member.group, member] as const));
  for (const [group, { startTime }] of groups) {
    const leader = readStat(group);
    if (group > 1 && group !== own && (!leader || leader.startTime <= startTime)) sendSignal(-group, "SIGKILL");
  }
}

/**
 * A process that has just ended is no error; nor is one that has become another user's (`sudo`), which is found again
 * among those that are left.
 */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== "ESRCH" && codeOf(error) !== "EPERM") throw error;
  }
}
