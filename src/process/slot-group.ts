import { codeOf, messageOf } from "../errors.ts";
import type { ControlGroup } from "./control-group.ts";
import type { GroupHome } from "./group-home.ts";
import { SpawnFailed } from "./port.ts";

/** Whether and where the trees of a worker have control groups. */
export interface Groups {
  readonly home: GroupHome;
  /** Whether a job must not be started without one. */
  readonly areForced: boolean;
}

/** The control group of one slot, used by one job after another. */
export class SlotGroup {
  readonly #groups: Groups;
  #group: ControlGroup | null = null;
  #isBounded = false;

  constructor(groups: Groups) {
    this.#groups = groups;
  }

  /**
   * For the next job: empty, and as we made it. Null where none can be made now.
   *
   * @param isBounded it is going to have limits, and to count for this job alone.
   * @throws SpawnFailed when the job must not be started without one.
   */
  begin(isBounded: boolean): ControlGroup | null {
    if (isBounded || this.#isBounded || this.#group?.isFresh() === false) this.close();
    this.#isBounded = isBounded;
    try {
      return (this.#group ??= this.#groups.home.make());
    } catch (error) {
      const errno = codeOf(error);
      if (errno === undefined) throw error;
      if (!this.#groups.areForced) return null;
      throw new SpawnFailed(errno, `its control group could not be made: ${messageOf(error)}`, { cause: error });
    }
  }

  close(): void {
    if (this.#group) this.#groups.home.remove(this.#group);
    this.#group = null;
  }
}
