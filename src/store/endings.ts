import { unreachable } from "../errors.ts";
import type { AttemptEnd, Ending, Settlement } from "./job.ts";
import { describeSignal } from "./signals.ts";

/** What an abort makes of a job, whoever asked for it. */
export function abortedBy(who: string): Settlement {
  const error = { message: `aborted by ${who}`, type: "fatal", cause: "abort" } as const;
  return { phase: "ABORTED", verdict: { kind: "acknowledge" }, counts: "nothing", error };
}

/** What shells say of a program that could not be started: 127 where there is none, else 126. */
export function exitCodeOf(ending: Ending): number | null {
  if (ending.kind === "spawn failed") return ending.errno === "ENOENT" ? 127 : 126;
  return ending.kind === "exited" ? ending.code : null;
}

/** The reason of a rejection, the error of a spawn, whose memory was used up. */
export function detailOf(ending: Ending): string | null {
  if (ending.kind === "signalled") return wantOfMemory(ending);
  if (ending.kind === "rejected" || ending.kind === "not started") return ending.reason;
  return ending.kind === "spawn failed" ? ending.message : null;
}

/** How an attempt ended, in words. */
export function describeEnding(end: Pick<AttemptEnd, "ending" | "cause">): string {
  const { ending, cause } = end;
  const because = cause === null ? "" : ` (${cause})`;
  switch (ending.kind) {
    case "exited":
      return `exit code ${ending.code}${because}`;
    case "signalled":
      return `killed by ${describeDeath(ending)}${cause === "memory" ? "" : because}`;
    case "spawn failed":
      return `could not be started: ${ending.message}`;
    case "lost":
      return `its worker was lost${because}`;
    case "not started":
      return `not started: ${ending.reason}`;
    case "rejected":
      return `rejected: ${ending.reason}`;
    default:
      return unreachable(ending);
  }
}

const describeDeath = (ending: Extract<Ending, { kind: "signalled" }>): string =>
  [describeSignal(ending.signal), wantOfMemory(ending) ?? []].flat().join("; ");

function wantOfMemory({ outOfMemory }: Extract<Ending, { kind: "signalled" }>): string | null {
  if (outOfMemory === undefined) return null;
  return outOfMemory === "limit" ? "out of memory (its own limit)" : "out of memory (the machine's)";
}
