import type { Containment } from "../config/definition.ts";
import { configurationError } from "../errors.ts";
import type { Runtime } from "../runtime/port.ts";
import { findHome, type GroupHome } from "./group-home.ts";
import { ownGroups } from "./own-groups.ts";
import type { Groups } from "./slot-group.ts";

/** Where control groups can be made, or a sentence that says why nowhere. */
export function findGroups(runtime: Runtime): GroupHome | string {
  if (process.platform !== "linux") return "there are no control groups on this system";
  return findHome(ownGroups().unified, runtime.libc());
}

/**
 * What holds the trees of this worker together beside their marks; null: nothing.
 *
 * @throws ReeveError (configuration) when control groups are asked for by name and cannot be had.
 */
export function chooseGroups(setting: Containment, runtime: Runtime): Groups | null {
  // Where the runtime cannot start a program in a group, the shell between costs a short job more than the group gives.
  if (setting === "marks" || (setting === "auto" && !runtime.entersGroups)) return null;
  const home = findGroups(runtime);
  if (typeof home !== "string") {
    home.sweep();
    return { home, areForced: setting === "cgroup" };
  }
  if (setting === "auto") return null;
  throw configurationError(`containment = "cgroup" cannot be had here: ${home}`, 'leave it out, or say "marks"');
}
