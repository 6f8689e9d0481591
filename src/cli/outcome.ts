import { constants } from "node:os";
import { EXIT } from "../errors.ts";
import type { Attempt } from "../store/attempts.ts";
import type { Job } from "../store/job.ts";

/** As timeout(1) and shells have it. */
const TIMED_OUT = 124;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
const SIGNALLED = 128;

const SIGNAL_NUMBERS = new Map<string, number>(Object.entries(constants.signals));

/** The exit code that says of an ended job what its own exit would. */
export function exitCodeOf(job: Job, last: Attempt | undefined): number {
  if (job.phase === "COMPLETED" || (job.phase === "ARCHIVED" && job.error === null)) return EXIT.done;
  if (last?.cause === "timeout" || last?.cause === "overrun") return TIMED_OUT;
  if (job.phase === "ABORTED" || last === undefined) return EXIT.jobFailed;
  return failureCode(last);
}

function failureCode(last: Attempt): number {
  if (last.ending === "signalled") return SIGNALLED + signalNumber(last.signal ?? "");
  if (last.ending === "spawn failed") return spawnFailureCode(last.detail ?? "");
  return last.exitCode === null || last.exitCode === 0 ? EXIT.jobFailed : last.exitCode;
}

const signalNumber = (name: string): number => SIGNAL_NUMBERS.get(name) ?? Number(/^SIG(\d+)$/.exec(name)?.[1] ?? 0);

/** Only the sentence of the failure is kept. */
const spawnFailureCode = (detail: string): number =>
  /no such|not there|has no definition|ENOENT/.test(detail) ? NOT_FOUND : NOT_EXECUTABLE;

/** {@link TIMED_OUT}, when it is the waiting itself that took too long. */
export const WAITED_TOO_LONG = TIMED_OUT;
