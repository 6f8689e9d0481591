import { accessSync, constants, existsSync } from "node:fs";
import { basename, join } from "node:path";
import { codeOf, messageOf } from "../errors.ts";
import type { Libc } from "../runtime/port.ts";
import { type ControlGroup, read, write } from "./control-group.ts";
import { CONTROLLERS, namesOf, set, type TreeLimit, type TreeLimits, unsupported } from "./controllers.ts";
import { GroupHome } from "./group-home.ts";
import { LimitGroup } from "./limit-group.ts";
import type { OwnGroups } from "./own-groups.ts";

/** Where the groups of a controller are made. */
type Place = { readonly version: 1; readonly home: GroupHome } | { readonly version: 2 };

/** Groups that bound what a job may have of the machine: made for one job each, so that what they count is its own. */
export class LimitGroups {
  readonly #own: OwnGroups;
  readonly #libc: Libc;
  /** Of version 2; a sentence where there is none. */
  readonly #home: GroupHome | string;
  readonly #homes = new Map<string, GroupHome>();
  readonly #places = new Map<TreeLimit, Place>();

  constructor(own: OwnGroups, home: GroupHome | string, libc: Libc) {
    this.#own = own;
    this.#home = home;
    this.#libc = libc;
  }

  /** Why a limit cannot be had here; null: it can. */
  problem(limit: TreeLimit): string | null {
    const place = this.#place(limit);
    return typeof place === "string" ? place : null;
  }

  #place(limit: TreeLimit): Place | string {
    const known = this.#places.get(limit);
    if (known) return known;
    const place = this.#find(CONTROLLERS[limit].name);
    // What is in the way now may be gone later.
    if (typeof place !== "string") this.#places.set(limit, place);
    return place;
  }

  #find(name: string): Place | string {
    if (typeof this.#home !== "string" && offers(this.#home.directory, name)) {
      return unreadiness(this.#home.directory, name) ?? { version: 2 };
    }
    const directory = this.#own.controllers.get(name);
    if (directory === undefined) return `there is no ${name} controller of control groups here`;
    const problem = unwritable(directory);
    return problem ?? { version: 1, home: this.#homeIn(directory) };
  }

  /** Controllers that are mounted together have one. */
  #homeIn(directory: string): GroupHome {
    const home = this.#homes.get(directory) ?? new GroupHome(directory, this.#libc);
    if (!this.#homes.has(directory)) home.sweep();
    this.#homes.set(directory, home);
    return home;
  }

  /**
   * Groups with these limits, for one job.
   *
   * @param group the group of version 2 in which the job is started; null: it enters one by itself.
   * @throws an Error with an errno `code` and a sentence when one of the limits cannot be set after all.
   */
  make(limits: TreeLimits, group: ControlGroup | null): LimitGroup {
    const made = new LimitGroup();
    try {
      for (const limit of namesOf(limits)) this.#bound(made, limit, limits[limit] ?? 0, group);
      return made;
    } catch (error) {
      made.remove();
      throw error;
    }
  }

  #bound(made: LimitGroup, limit: TreeLimit, value: number, group: ControlGroup | null): void {
    const place = this.#place(limit);
    if (typeof place === "string") throw unsupported(place);
    const { name, settings } = CONTROLLERS[limit];
    if (place.version === 1) return set(made.in(place.home).path, settings[1](value));
    if (typeof this.#home === "string") throw unsupported(this.#home);
    enable(this.#home, name);
    set(group === null ? made.in(this.#home).path : made.over(group), settings[2](value));
  }

  /** Whether a job with these limits must be started in a control group of version 2. */
  needGroup(limits: TreeLimits): boolean {
    return namesOf(limits).some((limit) => {
      const place = this.#place(limit);
      return typeof place !== "string" && place.version === 2;
    });
  }

  sweep(): void {
    for (const home of this.#homes.values()) home.sweep();
  }
}

const words = (file: string): string[] => (existsSync(file) ? read(file).trim().split(/\s+/) : []);

const offers = (directory: string, controller: string): boolean =>
  words(join(directory, "cgroup.controllers")).includes(controller);

const isEnabled = (directory: string, controller: string): boolean =>
  words(join(directory, "cgroup.subtree_control")).includes(controller);

/** Why a controller cannot be given to the groups below one; null: it can. */
function unreadiness(directory: string, controller: string): string | null {
  if (isEnabled(directory, controller) || canHoldProcesses(directory)) return null;
  const problem = unwritable(join(directory, "cgroup.subtree_control"));
  if (problem !== null) return problem;
  const others = words(join(directory, "cgroup.procs")).filter((pid) => pid !== String(process.pid));
  if (others.length === 0) return null;
  return `the control group of this worker, ${directory}, holds other processes; start it in one of its own (systemd: Delegate=yes)`;
}

/** Only the root of the hierarchy may hold processes beside groups with controllers: cgroups(7). */
const canHoldProcesses = (directory: string): boolean => !existsSync(join(directory, "cgroup.type"));

/** The group that has processes cannot give controllers to those below it, so this process steps aside first. */
function enable(home: GroupHome, controller: string): void {
  const { directory } = home;
  if (isEnabled(directory, controller)) return;
  try {
    const own = String(process.pid);
    const isInTheWay = !canHoldProcesses(directory) && words(join(directory, "cgroup.procs")).includes(own);
    if (isInTheWay) write(join(home.make().path, "cgroup.procs"), own);
    write(join(directory, "cgroup.subtree_control"), `+${controller}`);
  } catch (error) {
    throw unsupported(`the ${controller} controller cannot be had in ${directory}: ${messageOf(error)}`);
  }
}

function unwritable(path: string): string | null {
  try {
    accessSync(path, constants.W_OK);
    return null;
  } catch (error) {
    return `this worker cannot write to ${path} (${codeOf(error) ?? basename(path)})`;
  }
}
