import { bootId, pidNamespace } from "../../process/proc.ts";
import { usageOfSessions, type SessionUsage } from "../../process/usage.ts";
import { runtime } from "../../runtime/index.ts";
import { isAlive } from "../living-workers.ts";
import type { Surroundings } from "./snapshot.ts";

/** Between two walks through all processes. */
const LOOK_EVERY_MS = 900;

/** The system that this is. */
export function surroundings(): Surroundings {
  const libc = runtime.libc();
  const here = { bootId: bootId(), pidNamespace: pidNamespace() };
  return {
    now: () => Date.now(),
    isAlive: (worker) => isAlive(worker, libc),
    isHere: (worker) => worker.bootId === here.bootId && worker.pidNamespace === here.pidNamespace,
    usage: nowAndThen(usageOfSessions),
  };
}

/** What was seen a moment ago is good enough. */
function nowAndThen(look: Surroundings["usage"]): Surroundings["usage"] {
  let seen: ReadonlyMap<number, SessionUsage> = new Map();
  let seenAt = Number.NEGATIVE_INFINITY;
  return (leaders) => {
    if (performance.now() - seenAt < LOOK_EVERY_MS) return seen;
    seenAt = performance.now();
    return (seen = look(leaders));
  };
}
