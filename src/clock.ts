import { readFileSync } from "node:fs";

/** Time as a parameter, so that a test can drive it. All spans are milliseconds. */
export interface Clock {
  /** Wall clock, since 1970, UTC: for what is recorded and for dates that users give. It may jump. */
  now(): number;
  /** Never goes back; its zero means nothing. */
  monotonic(): number;
  /** The same, and it runs on while the machine sleeps (CLOCK_BOOTTIME, see clock_gettime(2)): for leases. */
  boottime(): number;
  /** Calls back once; gives the way to call it off. Never before so much time has passed. */
  after(milliseconds: number, callback: () => void): () => void;
  /** Calls back when the events of this moment have been taken in. */
  soon(callback: () => void): void;
  sleep(milliseconds: number): Promise<void>;
}

/** Longer waits than a timer can hold (24.8 days) end early: whoever waits looks again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  boottime,
  after(milliseconds, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(milliseconds, 0), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMER_MS))),
};

/** As /proc/uptime has it; macOS has none, and there a sleep is not counted. */
function boottime(): number {
  try {
    return Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000;
  } catch {
    return performance.now();
  }
}
