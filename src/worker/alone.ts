import { SUSPECT_FROM } from "../queue/port.ts";

/** Of a job that this worker has. */
interface Candidate {
  /** Adopted null: it is still to be started. */
  readonly started: { readonly job: { readonly lost: number }; readonly adopted: object | null };
}

const isSuspect = ({ started }: Candidate): boolean => started.job.lost >= SUSPECT_FROM;

/** Sees to it that a job which may kill its worker runs with nothing beside it, so that it is blamed for itself. */
export class Alone {
  readonly #active: ReadonlySet<Candidate>;
  readonly #waiting = new Map<Candidate, () => void>();

  constructor(active: ReadonlySet<Candidate>) {
    this.#active = active;
  }

  /** Nothing more is to be taken as long as there is one. */
  get isWanted(): boolean {
    return [...this.#active].some(isSuspect);
  }

  /** Kept when this job may run: at once, unless it is a suspect beside others, and does not run already. */
  async until(active: Candidate): Promise<void> {
    if (!isSuspect(active) || active.started.adopted) return;
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
