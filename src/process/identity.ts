import type { TreeName } from "./port.ts";

/** Always the same, so that a later one leaves nothing of an earlier one. */
export const IDENTITY_BYTES = 512;

/** A main process, which leads its session, and when it was started (clock ticks after boot; 0 where unknown). */
export interface Leader {
  readonly pid: number;
  readonly startTime: number;
}

/** Whose the files of a slot are: what whoever recovers a dead worker goes by. */
export interface Identity {
  readonly leader: Leader;
  /** The path of its control group; empty: it has none. */
  readonly group: string;
}

export function identityText({ job, attempt }: TreeName, { leader, group }: Identity): string {
  const text = `${job} ${attempt} ${leader.pid} ${leader.startTime} ${encodeURI(group)}`;
  return `${text.padEnd(IDENTITY_BYTES - 1, " ")}\n`;
}

/** Null: it is another attempt's, or nobody's. */
export function parseIdentity(text: string, name: TreeName): Identity | null {
  const [job, attempt, pid, startTime, group = ""] = text.trim().split(" ");
  if (job !== name.job || Number(attempt) !== name.attempt) return null;
  return { leader: { pid: Number(pid), startTime: Number(startTime) }, group: decoded(group) };
}

/** Empty for what was not encoded: a job may write there what it likes. */
function decoded(uri: string): string {
  try {
    return decodeURI(uri);
  } catch {
    return "";
  }
}
