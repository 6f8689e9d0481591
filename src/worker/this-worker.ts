import { hostname } from "node:os";
import { bootId, pidNamespace } from "../process/proc.ts";
import { randomHex } from "../process/random.ts";
import type { WorkerSettings } from "./ports.ts";

/** Milliseconds after which a job of which nothing can be known is given up. */
const UNKNOWN_AFTER_MS = 3_600_000;

/** What a worker of this process, of this version of Reeve, is known by. */
export function thisWorker(version: string): Pick<WorkerSettings, "id" | "version" | "host" | "unknownAfterMs"> {
  const name = hostname();
  return {
    id: `${name.slice(0, 40).replaceAll(/[^A-Za-z0-9.-]/g, "-")}-${randomHex(5)}`,
    version,
    host: { name, pid: process.pid, bootId: bootId(), pidNamespace: pidNamespace() },
    unknownAfterMs: UNKNOWN_AFTER_MS,
  };
}
