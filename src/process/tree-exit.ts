import type { Exit, ResourceUsage } from "../runtime/port.ts";
import type { LimitGroup } from "./limit-group.ts";
import type { MemoryWatch } from "./out-of-memory.ts";
import type { TreeExit } from "./port.ts";
import type { StartPlace } from "./spawn.ts";

/** All that is known of a main process's end. `isOurs`: this worker had begun to end it. */
export function treeExit(exit: Exit, place: StartPlace, memory: MemoryWatch, isOurs: boolean): TreeExit {
  // Where programs of ours stand between, they know better.
  const kept = (place.record ?? place.init)?.read().exit;
  const told = { ...exit, ...(kept && { code: kept.code, signal: kept.signal }) };
  const outOfMemory = wantOfMemory(told.signal, place.bounds, memory, isOurs);
  return { ...told, usage: exit.usage && usageOf(exit.usage, place.bounds), ...(outOfMemory && { outOfMemory }) };
}

function wantOfMemory(
  signal: string | null,
  bounds: LimitGroup | null,
  memory: MemoryWatch,
  isOurs: boolean,
): TreeExit["outOfMemory"] {
  if (bounds !== null && bounds.outOfMemoryKills() > 0) {
    // The kernel counts these among all others.
    memory.hasKilled();
    return "limit";
  }
  return signal === "SIGKILL" && !isOurs && memory.hasKilled() ? "machine" : undefined;
}

function usageOf(usage: ResourceUsage, bounds: LimitGroup | null): ResourceUsage {
  const peakBytes = bounds?.peakBytes() ?? null;
  return peakBytes === null ? withoutOurPeak(usage) : { ...usage, peakBytes };
}

/** A child starts with its parent's peak as its own: only a higher one says something of the child. */
function withoutOurPeak(usage: ResourceUsage): ResourceUsage {
  const own = usage.peakBytes === null ? 0 : process.resourceUsage().maxRSS * 1024;
  return usage.peakBytes !== null && usage.peakBytes > own ? usage : { ...usage, peakBytes: null };
}
