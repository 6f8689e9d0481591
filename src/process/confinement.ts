import { chownSync } from "node:fs";
import type { Limits } from "../config/definition.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { ControlGroup } from "./control-group.ts";
import type { LimitGroup } from "./limit-group.ts";
import type { LimitGroups } from "./limit-groups.ts";
import { SpawnFailed, type Takings } from "./port.ts";
import type { Enforcement, Resources } from "./resources.ts";
import { SlotGroup, type Groups } from "./slot-group.ts";
import { cannotEnter } from "./spawn-failures.ts";
import { keepersOf } from "./wrapping.ts";

/** What the jobs of a worker can be held in, and to. */
export interface Confining {
  /** Null: trees have no control groups. */
  readonly groups: Groups | null;
  readonly limitGroups: LimitGroups;
  readonly resources: Resources;
}

/** What one job is held in, and to. */
export interface Confined {
  readonly group: ControlGroup | null;
  /** Null: nothing of it is bounded by a control group. */
  readonly bounds: LimitGroup | null;
  readonly enforcement: Enforcement;
}

/** What one slot holds its jobs in. */
export class Confinement {
  readonly #confining: Confining;
  readonly #group: SlotGroup | null;
  #bounds: LimitGroup | null = null;
  #missing: readonly string[] = [];

  constructor(confining: Confining) {
    this.#confining = confining;
    this.#group = confining.groups && new SlotGroup(confining.groups);
  }

  /**
   * For the next job; what the last one was held in must be empty.
   *
   * @throws SpawnFailed when a limit cannot be had here.
   */
  begin(limits: Limits): Confined {
    this.#bounds?.remove();
    const { resources, limitGroups } = this.#confining;
    const enforcement = resources.enforce(limits);
    const { tree } = enforcement;
    this.#missing = enforcement.missing;
    const isBounded = Object.keys(tree).length > 0;
    const needsGroup = isBounded && limitGroups.needGroup(tree);
    const group = this.#group?.begin(needsGroup) ?? null;
    if (needsGroup && group === null && enforcement.runner) throw cannotEnter();
    const ours = needsGroup && group !== null ? keepersOf(limits) : 0;
    this.#bounds = isBounded ? bound(limitGroups, withOurs(enforcement, ours), group) : null;
    return { group, bounds: this.#bounds, enforcement };
  }

  /** What a job has left, with what was left out of its limits, where this worker has not said so yet. */
  warned(takings: Takings): Takings {
    const missing = this.#confining.resources.untold(this.#missing);
    return missing.length === 0 ? takings : { ...takings, warnings: [...missing, ...takings.warnings] };
  }

  close(): void {
    this.#bounds?.remove();
    this.#bounds = null;
    this.#group?.close();
  }
}

/** The programs of ours that are started in the job's group as well are no processes of its own. */
function withOurs(enforcement: Enforcement, count: number): Enforcement {
  const { tree } = enforcement;
  if (tree.processes === undefined) return enforcement;
  return { ...enforcement, tree: { ...tree, processes: tree.processes + count } };
}

function bound(limitGroups: LimitGroups, { tree, runner }: Enforcement, group: ControlGroup | null): LimitGroup {
  try {
    const made = limitGroups.make(tree, group);
    if (runner) for (const file of made.entrances) chownSync(file, runner.account.user, runner.account.group);
    return made;
  } catch (error) {
    throw new SpawnFailed(codeOf(error) ?? "ENOTSUP", `it was not started: ${messageOf(error)}`, { cause: error });
  }
}
