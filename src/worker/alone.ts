import { SUSPECT_FROM } from "../queue/port.ts";
import type { ActiveJob } from "./active-job.ts";

const isSuspect = ({ started }: ActiveJob): boolean => started.job.lost >= SUSPECT_FROM;

/** Sees to it that a job which may kill its worker runs with nothing beside it, so that it is blamed for itself. */
export class Alone {
  readonly #active: ReadonlySet<ActiveJob>;
  readonly #waiting = new Map<ActiveJob, () => void>();

  constructor(active: ReadonlySet<ActiveJob>) {
    this.#active = active;
  }

  /** Nothing more is to be taken as long as there is one. */
  get isWanted(): boolean {
    return [...this.#active].some(isSuspect);
  }

  /** Kept when this job may run: at once, unless it is a suspect beside others. */
  async until(active: ActiveJob): Promise<void> {
    if (!isSuspect(active)) return;
    const turn = Promise.withResolvers<void>();
    this.#waiting.set(active, turn.resolve);
    this.look();
    await turn.promise;
  }

  /** Somebody has ended. */
  look(): void {
    const [first] = this.#waiting;
    const runs = [...this.#active].filter((one) => !this.#waiting.has(one));
    if (!first || runs.length > 0) return;
    const [active, turn] = first;
    this.#waiting.delete(active);
    turn();
  }
}
