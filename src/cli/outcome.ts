import { EXIT } from "../errors.ts";
import type { Attempt } from "../store/attempt.ts";
import type { Job } from "../store/job.ts";
import { signalNumber } from "../store/signals.ts";

/** As timeout(1) and shells have it. */
export const TIMED_OUT = 124;
const SIGNALLED = 128;

/** The exit code that says of an ended job what its own exit would. */
export function exitCodeOf(job: Job, last: Attempt | undefined): number {
  if (job.phase === "COMPLETED" || (job.phase === "ARCHIVED" && job.error === null)) return EXIT.done;
  if (last?.cause === "timeout" || last?.cause === "overrun") return TIMED_OUT;
  if (job.phase === "ABORTED" || last === undefined) return EXIT.jobFailed;
  return failureCode(last);
}

function failureCode(last: Attempt): number {
  if (last.ending === "signalled") return SIGNALLED + signalNumber(last.signal ?? "");
  return last.exitCode === null || last.exitCode === 0 ? EXIT.jobFailed : last.exitCode;
}

/** {@link TIMED_OUT}, when it is the waiting itself that took too long. */
export const WAITED_TOO_LONG = TIMED_OUT;
