import { EXIT, unreachable } from "../errors.ts";
import { describeEnding, exitCodeOf } from "../store/endings.ts";
import type { AttemptEnd, Ending, Settlement } from "../store/job.ts";
import { isShortOfResources } from "../worker/ending.ts";
import { TIMED_OUT } from "./outcome.ts";

/** How this process ends: with an exit code, or by a signal. */
export type WayOut = { readonly code: number } | { readonly signal: string };

/** How the command ended, and what was recorded of it; null: nothing was. */
export interface CommandEnd {
  readonly end: AttemptEnd;
  readonly settlement: Settlement | null;
}

/** As the command ended, unless somebody made it end: as timeout(1) has it then, and as `reeve wait`. */
export function wayOut({ end: { ending, cause }, settlement }: CommandEnd): WayOut {
  if (cause === "timeout" || cause === "overrun") return { code: TIMED_OUT };
  if (cause === "abort") return { code: EXIT.jobFailed };
  const way = mirrored(ending);
  const isHidden = "code" in way && way.code === EXIT.done && settlement !== null && settlement.phase !== "COMPLETED";
  return isHidden ? { code: EXIT.jobFailed } : way;
}

function mirrored(ending: Ending): WayOut {
  switch (ending.kind) {
    case "exited":
      return { code: ending.code };
    case "signalled":
      return ending.signal === null ? { code: EXIT.jobFailed } : { signal: ending.signal };
    case "spawn failed":
      return { code: isShortOfResources(ending) ? EXIT.unavailable : (exitCodeOf(ending) ?? EXIT.jobFailed) };
    case "lost":
    case "not started":
    case "rejected":
      return { code: EXIT.jobFailed };
    default:
      return unreachable(ending);
  }
}

/** What the exit code does not say, for people; null: it says all. */
export function remarkOn({ end: { ending, cause }, settlement }: CommandEnd): string | null {
  if (ending.kind === "spawn failed") return ending.message;
  if (cause === "timeout") return `timed out: ${describeEnding({ ending, cause: null })}`;
  const isOurs = cause !== null && cause !== "stop";
  const isHidden = ending.kind === "exited" && ending.code === 0 && settlement?.error;
  return isOurs || isHidden ? (settlement?.error?.message ?? cause) : null;
}
