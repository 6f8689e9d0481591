import { join } from "node:path";
import { findGroups } from "../../src/process/containment.ts";
import { LimitGroups } from "../../src/process/limit-groups.ts";
import { ownGroups } from "../../src/process/own-groups.ts";
import { runtime } from "../../src/runtime/index.ts";
import { procText } from "./processes.ts";
import { IS_ROOT } from "./unprivileged.ts";

const HOME = findGroups(runtime);

/** Whether control groups can be had here; what needs them is left out where they cannot. */
export const HAS_GROUPS = typeof HOME !== "string";

/** Whether the memory of a job can be bounded here. */
export const BOUNDS_MEMORY =
  IS_ROOT && new LimitGroups(ownGroups(), "not asked", runtime.libc()).problem("memoryBytes") === null;

/** Below which they are made. */
export const HOME_DIRECTORY = typeof HOME === "string" ? "" : HOME.directory;

/** The directory of the group in which a process is, where that is one that a worker of this home made. */
export function groupOf(pid: number): string {
  const path = procText(pid, "cgroup")?.match(/^0::(.*)$/m)?.[1] ?? "";
  return join(HOME_DIRECTORY, path.slice(path.lastIndexOf("/") + 1));
}
