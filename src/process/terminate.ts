import type { Clock } from "../clock.ts";
import type { StopOrder } from "./port.ts";
import type { ProcessStat } from "./proc.ts";

/** What termination needs to see and do. */
export interface Target {
  /** The living members of the tree, found anew at each call. */
  members(): ProcessStat[];
  signal(members: readonly ProcessStat[], signal: NodeJS.Signals): void;
  /** Something of it lives, also where no look has found it: what forks and ends at once is gone before it is seen. */
  isHeld?(): boolean;
  /** Whether it only keeps the end of the others, and ends with them; absent: none does. */
  isKeeper?(member: ProcessStat): boolean;
}

/** Between looks at a tree that is being ended, in milliseconds: at first often, then less so. */
const FIRST_LOOK_MS = 2;
const SLOWEST_LOOK_MS = 100;

/** After KILL a process that is not gone by then waits in the kernel (a dead disk): we say so instead of waiting on. */
const KILL_DEADLINE_MS = 10_000;

/**
 * The stop signal (and CONT, since a stopped process would not see it), the grace, then KILL to all members in one
 * pass, again until none is left. Once `isHurried` is true, what is left of the grace is not waited for.
 *
 * @returns the members that outlived the deadline.
 */
export async function terminate(
  target: Target,
  order: StopOrder,
  clock: Clock,
  isHurried: () => boolean = never,
): Promise<ProcessStat[]> {
  const members = target.members();
  if (isGone(target, members)) return [];
  if (order.signal !== "KILL" && order.graceMs > 0) {
    const ask = asker(target, `SIG${order.signal}`);
    ask(members);
    if (isGone(target, await waitUntilGone(target, order.graceMs, clock, isHurried, ask))) return [];
  }
  return kill(target, clock);
}

const never = (): boolean => false;

const isGone = (target: Target, members: readonly ProcessStat[]): boolean =>
  members.length === 0 && target.isHeld?.() !== true;

/** Asks once, and as soon as there is somebody to be asked: a keeper may be there just before the job itself. */
function asker(target: Target, signal: NodeJS.Signals): (members: readonly ProcessStat[]) => void {
  let hasAsked = false;
  return (members) => {
    if (hasAsked) return;
    const asked = members.filter((member) => target.isKeeper?.(member) !== true);
    hasAsked = asked.length > 0;
    target.signal(asked, signal);
    target.signal(members, "SIGCONT");
  };
}

function kill(target: Target, clock: Clock): Promise<ProcessStat[]> {
  target.signal(target.members(), "SIGKILL");
  // What was being forked meanwhile is killed at the next look.
  return waitUntilGone(target, KILL_DEADLINE_MS, clock, never, (members) => target.signal(members, "SIGKILL"));
}

const STOPPED = new Set(["T", "t"]);

/** After so long a member that did not stop waits in the kernel, and will when it comes back. */
const STAND_STILL_MS = 2000;

/**
 * STOP to all members in passes, since one may just be forking, until all of them stand still, or `isOff`: somebody
 * wants them to end, and what stands still could not see the signal.
 */
export async function standStill(target: Target, clock: Clock, isOff: () => boolean = never): Promise<void> {
  const end = clock.monotonic() + STAND_STILL_MS;
  // Who waits in the kernel (for a disk, or for a child between vfork and exec) stops before it does anything else.
  const told = new Set<number>();
  for (;;) {
    const moving = target
      .members()
      .filter(({ pid, state }) => !STOPPED.has(state) && !(state === "D" && told.has(pid)));
    if (moving.length === 0 || clock.monotonic() >= end || isOff()) return;
    target.signal(moving, "SIGSTOP");
    for (const { pid } of moving) told.add(pid);
    await clock.sleep(FIRST_LOOK_MS);
  }
}

async function waitUntilGone(
  target: Target,
  patienceMs: number,
  clock: Clock,
  isHurried: () => boolean,
  atEachLook: (members: readonly ProcessStat[]) => void,
): Promise<ProcessStat[]> {
  const end = clock.monotonic() + patienceMs;
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, SLOWEST_LOOK_MS)) {
    const members = target.members();
    const left = end - clock.monotonic();
    if (left <= 0 || isHurried() || isGone(target, members)) return members;
    await clock.sleep(Math.min(wait, left));
    atEachLook(target.members());
  }
}
