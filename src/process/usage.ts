import { allProcesses, isAlive, readUsage } from "./proc.ts";

/** What the processes of one session have used, or have. */
export interface SessionUsage {
  readonly processes: number;
  /** Of those that live; what has ended and been waited for is its parent's. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/**
 * What sessions use, by their leaders' pids. A job's processes are those of its session but for such as began one of
 * their own; to find these, too, costs more than a look may. Nothing where processes cannot be seen.
 */
export function usageOfSessions(leaders: ReadonlySet<number>): Map<number, SessionUsage> {
  const sums = new Map<number, SessionUsage>();
  if (leaders.size === 0) return sums;
  for (const stat of allProcesses()) {
    if (!leaders.has(stat.session) || !isAlive(stat)) continue;
    const { processes, cpuSeconds, memoryBytes } = sums.get(stat.session) ?? NOTHING;
    const more = readUsage(stat.pid);
    if (!more) continue;
    sums.set(stat.session, {
      processes: processes + 1,
      cpuSeconds: cpuSeconds + more.cpuSeconds,
      memoryBytes: memoryBytes + more.memoryBytes,
    });
  }
  return sums;
}

const NOTHING: SessionUsage = { processes: 0, cpuSeconds: 0, memoryBytes: 0 };
