import type { Clock } from "../../clock.ts";
import type { Limits } from "../../config/definition.ts";
import { findGroups } from "../../process/containment.ts";
import { Isolation } from "../../process/isolation.ts";
import { ProcessManager } from "../../process/manager.ts";
import { procIsOurs } from "../../process/proc.ts";
import type { Runtime } from "../../runtime/port.ts";
import type { Rung } from "./shapes.ts";

/** One rung on this machine. */
export interface RungHere {
  readonly rung: Rung;
  /** Why it cannot be had; null: it can. */
  readonly cannot: string | null;
  readonly isolate: Limits["isolate"];
  /** The processes of a worker that uses this rung and no better one. */
  manager(): ProcessManager;
}

export function rungsHere(runtime: Runtime, clock: Clock): RungHere[] {
  const blind = procIsOurs() ? null : "/proc does not show the processes of this pid namespace";
  const groups = findGroups(runtime);
  const noGroups = typeof groups === "string" ? groups : null;
  return [
    {
      rung: "cgroup",
      cannot: blind ?? noGroups,
      isolate: "none",
      manager: () => new ProcessManager(runtime, clock, "cgroup"),
    },
    {
      rung: "pid namespace",
      cannot: blind ?? new Isolation().problem(null),
      isolate: "pid",
      manager: () => new ProcessManager(runtime, clock, "marks"),
    },
    {
      rung: "marks",
      cannot: blind,
      isolate: "none",
      manager: () => new ProcessManager(runtime, clock, "marks"),
    },
  ];
}
