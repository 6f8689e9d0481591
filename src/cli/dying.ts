import type { Libc } from "../runtime/port.ts";
import { signalNumber } from "../store/signals.ts";

const PR_SET_DUMPABLE = 4;

/**
 * Ends this process as a signal would have ended it, whatever the runtime does at that signal, so that our parent sees
 * the truth. Process 1, which no signal of its own ends, gets the exit code that stands for it.
 */
export function dieAs(signal: string, libc: Libc): number {
  // The core would be ours, and tell nothing of the command: timeout(1) does the same.
  libc.prctl(PR_SET_DUMPABLE, 0);
  const number = signalNumber(signal);
  libc.defaultSignal(number);
  if (process.pid !== 1) process.kill(process.pid, number);
  return 128 + number;
}
