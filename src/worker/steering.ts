import { standingStill } from "../store/suspension.ts";
import type { ActiveJob } from "./active-job.ts";
import type { Ports } from "./ports.ts";
import type { Stop } from "./stop.ts";

export interface SteeringOptions {
  readonly ports: Ports;
  readonly worker: string;
  readonly stop: Pick<Stop, "fault">;
  /** There may be something to claim. */
  readonly poke: () => void;
}

/** Makes running jobs end, stand still and go on, as people and signals ask for it. */
export class Steering {
  readonly #active: ReadonlySet<ActiveJob>;
  readonly #options: SteeringOptions;
  #standsStill = false;

  constructor(active: ReadonlySet<ActiveJob>, options: SteeringOptions) {
    this.#active = active;
    this.#options = options;
  }

  /** Asked by a signal to the worker, which then takes nothing either. */
  get standsStill(): boolean {
    return this.#standsStill;
  }

  /** Somebody may have asked for something: it is done now. */
  look(): void {
    if (this.#active.size === 0) return;
    this.#takeAborts();
    this.#takeSuspensions();
  }

  #takeAborts(): void {
    const { ports, worker } = this.#options;
    const asked = new Map(ports.store.workers.abortsOf(worker).map((job) => [job.seq, job]));
    for (const active of this.#active) {
      const job = asked.get(active.started.job.seq);
      if (job && active.end("abort", job.abortBy)) this.#tellSignalled(active, `abort by ${job.abortBy}`);
    }
  }

  #takeSuspensions(): void {
    const { ports, worker, stop } = this.#options;
    const wanted = new Map(ports.store.suspension.of(worker).map((job) => [job.seq, job.suspendBy]));
    for (const active of this.#active) {
      const by = wanted.get(active.started.job.seq) ?? null;
      if ((by !== null) !== active.isSuspended) active.inTurn(() => this.#suspendOrResume(active)).catch(stop.fault);
    }
  }

  /** The tree first, then what is told of it. What is wanted may have changed since this was put in its turn. */
  async #suspendOrResume(active: ActiveJob): Promise<void> {
    const { ports, worker } = this.#options;
    const { job } = active.started;
    const by = ports.store.jobs.bySeq(job.seq)?.suspendBy ?? null;
    if ((by !== null) === active.isSuspended) return;
    const changed = by === null ? active.resume() : await active.suspend();
    if (!changed) return;
    const name = { job: job.id, attempt: job.attempts };
    ports.emit(by === null ? { type: "resumed", ...name } : { type: "suspended", ...name, by });
    const { suspension } = ports.store;
    const now = ports.clock.now();
    await ports.store.write(() =>
      by === null ? suspension.ended(job, now, worker) : suspension.begun(job, now, worker),
    );
  }

  /** All jobs stand still, and nothing more is taken, until that is over: SIGTSTP and SIGCONT to the worker. */
  async standStill(wanted: boolean): Promise<void> {
    if (this.#standsStill === wanted) return;
    this.#standsStill = wanted;
    const { ports, worker, poke } = this.#options;
    const by = standingStill(worker);
    const now = ports.clock.now();
    const { jobs, suspension } = ports.store;
    await ports.store.write(() => {
      for (const { started } of this.#active) {
        const job = jobs.bySeq(started.job.seq);
        if (wanted && job?.phase === "EXECUTING" && job.abortBy === null) suspension.ask(job.seq, now, by);
        if (!wanted && job?.suspendBy === by) suspension.lift(job.seq, now, `SIGCONT to ${worker}`);
      }
    });
    this.look();
    poke();
  }

  /** The worker stops: ends the jobs whose time to finish by themselves is over. */
  stopAll(): void {
    for (const active of this.#active) if (active.endByStop()) this.#tellSignalled(active, "stop");
  }

  #tellSignalled({ started: { job } }: ActiveJob, why: string): void {
    this.#options.ports.emit({ type: "signalled", job: job.id, attempt: job.attempts, why });
  }
}
