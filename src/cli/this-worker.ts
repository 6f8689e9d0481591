import { hostname } from "node:os";
import { bootId, pidNamespace } from "../process/proc.ts";
import { randomHex } from "../process/random.ts";
import type { WorkerSettings } from "../worker/ports.ts";
import { VERSION } from "./version.ts";

/** Milliseconds after which a job of which nothing can be known is given up. */
const UNKNOWN_AFTER_MS = 3_600_000;

/** What this process is known by when it runs jobs. */
export function thisWorker(): Pick<WorkerSettings, "id" | "version" | "host" | "unknownAfterMs" | "environment"> {
  const name = hostname();
  return {
    id: `${name.slice(0, 40).replaceAll(/[^A-Za-z0-9.-]/g, "-")}-${randomHex(5)}`,
    version: VERSION,
    host: { name, pid: process.pid, bootId: bootId(), pidNamespace: pidNamespace() },
    unknownAfterMs: UNKNOWN_AFTER_MS,
    environment: process.env,
  };
}
