import { existsSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { Candidate } from "./adoption.ts";
import { adoptedByAncestors, hunt } from "./hunt.ts";
import type { DeadAttempt, Remains, Takings } from "./port.ts";
import { bootId, pidNamespace, procIsOurs, type ProcessStat } from "./proc.ts";
import { SlotFiles } from "./slot-files.ts";
import { marksOf, type Supervision } from "./supervisor.ts";
import { terminate, type Target } from "./terminate.ts";
import { membersOf, provenLeader, signalTree } from "./tree.ts";
import { isKeeper } from "./tree-control.ts";
import { keepersOf } from "./wrapping.ts";

const NOTHING: Takings = { outputs: [], results: [], progress: null, error: null, warnings: [] };

/** Ends what is left of a dead worker's attempt, unless it may go on, and takes in what it left; see {@link Remains}. */
export async function recoverAttempt(attempt: DeadAttempt, supervision: Supervision): Promise<Remains> {
  const candidate = Candidate.of(attempt, supervision);
  const adopted = canBeSeen(attempt) ? await candidate?.adopt() : null;
  if (adopted) return adopted;
  const remains = await endAttempt(attempt, supervision);
  const ended = remains.kind === "gone" ? candidate?.ended() : null;
  if (ended) return ended;
  candidate?.leave();
  return remains;
}

async function endAttempt(attempt: DeadAttempt, { runtime, clock }: Supervision): Promise<Remains> {
  // Somebody may have removed the slot; the processes are looked for all the same.
  const files = existsSync(attempt.directory) ? new SlotFiles(attempt.directory, runtime.libc()) : null;
  try {
    const left = await endTree(attempt, files, clock);
    return left === null ? takeIn(attempt, files) : { kind: "unknown", what: left };
  } finally {
    files?.close();
  }
}

const canBeSeen = (attempt: DeadAttempt): boolean =>
  attempt.bootId === bootId() && attempt.pidNamespace === pidNamespace() && procIsOurs();

/** Null when the tree is gone, else why that cannot be said. */
async function endTree(attempt: DeadAttempt, files: SlotFiles | null, clock: Clock): Promise<string | null> {
  // Nothing outlives a boot.
  if (attempt.bootId !== bootId()) return null;
  if (!canBeSeen(attempt)) return judgeFromOutside(attempt, files);
  const group = files?.groupOf(attempt) ?? null;
  const written = { ...marksOf(attempt, files, group), leader: files?.leaderOf(attempt) ?? null };
  const marks = { ...written, leader: provenLeader(written) };
  const isHeld = (): boolean => files?.areFree() === false || group?.isPopulated() === true;
  const find = (): ProcessStat[] => {
    const members = membersOf(marks);
    if (members.length > 0 || !isHeld()) return members;
    return hunt({ cookie: marks.cookie, isHeld, adopted: adoptedByAncestors }, clock);
  };
  const target: Target = {
    members: find,
    signal: (members, signal) => signalTree(marks, members, signal),
    isHeld,
    isKeeper: (member) => isKeeper(member, marks.leader?.pid ?? 0, keepersOf(attempt.limits)),
  };
  const order = { signal: attempt.limits.stopSignal, graceMs: attempt.limits.graceMs };
  const members = await terminate(target, order, clock);
  if (members.length > 0) return `these processes could not be ended: ${members.map(({ pid }) => pid).join(", ")}`;
  if (files?.areFree() === false) return "a process that cannot be seen from here still has its output open";
  return group?.remove() === false ? `something is left in the control group ${group.path}` : null;
}

/** From another pid namespace neither processes nor cookies can be seen; only the locks can. */
function judgeFromOutside(attempt: DeadAttempt, files: SlotFiles | null): string | null {
  if (files && !files.areFree()) return "in another pid namespace a process still has its output open";
  if (attempt.workerWasInit) return null;
  return "it ran in another pid namespace, where a process of it that closed its files cannot be seen";
}

function takeIn(attempt: DeadAttempt, files: SlotFiles | null): Remains {
  const leader = files?.leaderOf(attempt);
  if (!files || !leader) return { kind: "gone", pid: null, takings: NOTHING };
  const pid = leader.pid > 1 ? leader.pid : null;
  return { kind: "gone", pid, takings: files.collect(attempt, true) };
}
