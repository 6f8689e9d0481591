import type { Containment, Limits } from "../config/definition.ts";
import { configurationError } from "../errors.ts";
import type { Runtime } from "../runtime/port.ts";
import { findHome, type GroupHome } from "./group-home.ts";
import type { Confining } from "./confinement.ts";
import { Isolation } from "./isolation.ts";
import { LimitGroups } from "./limit-groups.ts";
import { ownGroups, type OwnGroups } from "./own-groups.ts";
import { Resources } from "./resources.ts";
import type { Groups } from "./slot-group.ts";

/** Where control groups can be made, or a sentence that says why nowhere. */
export function findGroups(runtime: Runtime, own: OwnGroups = ownGroups()): GroupHome | string {
  if (process.platform !== "linux") return "there are no control groups on this system";
  return findHome(own.unified, runtime.libc());
}

/** What the trees of a worker can be held in, and to; see {@link chooseGroups}. */
export function chooseConfining(setting: Containment, runtime: Runtime): Confining {
  const own = ownGroups();
  const home = findGroups(runtime, own);
  const limitGroups = new LimitGroups(own, home, runtime.libc());
  return { groups: chooseGroups(setting, runtime, home), limitGroups, resources: new Resources(limitGroups) };
}

/** What of a job's limits a worker on this machine could not hold it to: a sentence each. */
export function unenforceable(runtime: Runtime): (limits: Limits) => string[] {
  const { resources } = chooseConfining("auto", runtime);
  const isolation = new Isolation();
  return (limits) => {
    const isolating = limits.isolate === "pid" ? isolation.problem(null) : null;
    return [...resources.problems(limits), ...(isolating === null ? [] : [isolating])].map(asSentence);
  };
}

/** Why no worker could be started here with this setting; null: one could. */
export function containmentProblem(setting: Containment, runtime: Runtime): string | null {
  const home = setting === "cgroup" ? findGroups(runtime) : null;
  return typeof home === "string" ? asSentence(home) : null;
}

const asSentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/**
 * What holds the trees of this worker together beside their marks; null: nothing.
 *
 * @throws ReeveError (configuration) when control groups are asked for by name and cannot be had.
 */
export function chooseGroups(
  setting: Containment,
  runtime: Runtime,
  home: GroupHome | string = findGroups(runtime),
): Groups | null {
  // Where the runtime cannot start a program in a group, the shell between costs a short job more than the group gives.
  if (setting === "marks" || (setting === "auto" && !runtime.entersGroups)) return null;
  if (typeof home !== "string") {
    home.sweep();
    return { home, areForced: setting === "cgroup" };
  }
  if (setting === "auto") return null;
  throw configurationError(`containment = "cgroup" cannot be had here: ${home}`, 'leave it out, or say "marks"');
}
