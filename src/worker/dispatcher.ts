import type { JobCounts } from "../events.ts";
import type { Slot } from "../process/port.ts";
import type { Message, Request } from "../queue/port.ts";
import type { AttemptEnd, Inputs, Job, Settlement } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { ActiveJob, type Started } from "./active-job.ts";
import { isMissingProgram, isShortOfResources } from "./ending.ts";
import { Pauses } from "./pauses.ts";
import type { Plan, Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";
import { Steering } from "./steering.ts";
import type { Stop } from "./stop.ts";
import type { ExitHandlers } from "./exit-handlers.ts";
import { run, type RunContext } from "./run.ts";
import type { Outcome } from "./supervise.ts";

export interface DispatcherOptions {
  readonly ports: Ports;
  readonly worker: string;
  readonly planner: Planner;
  readonly slots: readonly Slot[];
  /** Jobs that may be started in all; null: no limit. */
  readonly maxJobs: number | null;
  readonly stays: boolean;
  /** A slot that cannot be used again is replaced. */
  readonly newSlot: () => Slot;
  /** There may be something to claim. */
  readonly poke: () => void;
  /** Something ended that the worker's loop may wait for. */
  readonly wake: () => void;
  readonly stop: Stop;
  readonly exitHandlers: ExitHandlers;
}

/** Starts without an ending after which a job may be what kills its workers. */
const SUSPECT_FROM = 2;

/** Keeps the slots busy: claims what there are free slots for, and runs it. */
export class Dispatcher {
  readonly steering: Steering;
  readonly counts: JobCounts = { completed: 0, failed: 0, putBack: 0 };
  readonly #options: DispatcherOptions;
  readonly #context: RunContext;
  readonly #pauses: Pauses;
  readonly #free: Slot[];
  readonly #active = new Set<ActiveJob>();
  #started = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.steering = new Steering(this.#active, options);
    this.#free = [...options.slots];
    this.#pauses = new Pauses(options.ports, options.poke);
    this.#context = {
      ports: options.ports,
      worker: options.worker,
      exitHandlers: options.exitHandlers,
      stays: options.stays,
      stopsWithin: (milliseconds) => options.stop.within(milliseconds),
      ending: (active, outcome) => this.#vacate(active, outcome),
      ended: (active, end, settlement) => this.#ended(active, end, settlement),
    };
  }

  get running(): number {
    return this.#active.size;
  }

  /** Whether all jobs that may be started have been. */
  get isExhausted(): boolean {
    return this.#mayStart() <= 0;
  }

  /** Claims until no slot is free or nothing is there. Gives whether anything was started. */
  async topUp(): Promise<boolean> {
    let any = false;
    while (this.#room() > 0) {
      const { queue } = this.#options.ports;
      const started = await queue.receive(
        () => this.#request(),
        (message, index) => this.#admit(message, index),
      );
      if (started.length === 0) return any;
      any = true;
      this.#free.splice(0, started.length);
      this.#started += started.length;
      for (const one of started) this.#start(one);
    }
    return any;
  }

  get hasRoom(): boolean {
    return this.#room() > 0;
  }

  #room(): number {
    if (this.steering.standsStill || this.#pauses.takesNothing || this.#options.stop.isClosing || this.#runsSuspect())
      return 0;
    return Math.min(this.#free.length, this.#mayStart());
  }

  /** It is given to an idle worker, and nothing beside it: what happens then is its own doing. */
  #runsSuspect(): boolean {
    const [first] = this.#active;
    return first !== undefined && first.started.job.lost >= SUSPECT_FROM;
  }

  #mayStart(): number {
    return (this.#options.maxJobs ?? Number.POSITIVE_INFINITY) - this.#started;
  }

  #request(): Request {
    return { max: this.#room(), idle: this.#active.size === 0, without: this.#pauses.definitions };
  }

  /** Within the transaction of the claim, and perhaps more than once. */
  #admit(message: Message, index: number): Started {
    const { ports, worker, planner } = this.#options;
    const slot = this.#free[index];
    if (!slot) throw new Error("the queue gave more than was asked for");
    const { job } = message;
    const inputs = ports.store.jobs.inputs(job.seq);
    const planned = planner.plan(job, inputs);
    const at = ports.clock.now();
    const { id: messageId, receiveCount } = message;
    ports.store.attempts.begin({ job, worker, directory: slot.directory, messageId, receiveCount, at });
    if (planned.kind === "plan") recordPlan(job, inputs, planned.plan, ports.store);
    return { message, job, inputs, planned, slot, startedAt: at };
  }

  #start(started: Started): void {
    const { stop } = this.#options;
    const { ports, wake } = this.#options;
    const active = new ActiveJob(started, {
      clock: ports.clock,
      graceLeft: () => stop.graceLeftMs,
      stopSignal: () => stop.signal,
      wake,
    });
    this.#active.add(active);
    if (stop.isAsked) active.endByStop();
    run(active, this.#context).catch((error: unknown) => this.#abandon(active, error));
  }

  /** What is left of it is for the next worker's recovery, since this one cannot go on. */
  #abandon(active: ActiveJob, error: unknown): void {
    this.#options.stop.fault(error);
    if (this.#active.delete(active)) active.kill();
  }

  /** The end is being written: what is claimed in the same commit may have the slot. */
  #vacate(active: ActiveJob, outcome: Outcome): void {
    const { started } = active;
    this.#active.delete(active);
    this.#free.push(outcome.left === null && !outcome.isLeft ? started.slot : this.#options.newSlot());
    const { definition } = started.job;
    const isAwaited = this.#options.stays && definition !== null;
    if (isShortOfResources(outcome.ending)) this.#pauses.takeNothing(outcome.ending);
    else if (isAwaited && isMissingProgram(outcome.ending)) this.#pauses.pause(definition, outcome.ending);
    else this.#pauses.worked(definition);
    this.#options.poke();
  }

  #ended({ started }: ActiveJob, end: AttemptEnd, settlement: Settlement): void {
    const { job, startedAt } = started;
    this.#count(settlement);
    const ranMs = end.ranMs ?? Math.max(0, end.endedAt - startedAt);
    this.#options.ports.emit({ type: "job ended", job: job.id, attempt: job.attempts, end, settlement, ranMs });
    this.#options.wake();
  }

  #count({ phase }: Settlement): void {
    if (phase === "COMPLETED") this.counts.completed += 1;
    else if (phase === "ERROR" || phase === "ABORTED") this.counts.failed += 1;
    else this.counts.putBack += 1;
  }

  killAll(): void {
    this.#options.exitHandlers.killAll();
    for (const active of this.#active) active.kill();
  }
}

/** What was really run, where a template made it, and what cleans up after it. */
function recordPlan(job: Job, inputs: Inputs, { argv, cwd, exitHandler }: Plan, store: Store): void {
  if (inputs.command === null) store.attempts.resolved(job.seq, job.attempts, argv, cwd);
  if (exitHandler) store.cleanUps.planned(job.seq, job.attempts, { argv: exitHandler, cwd });
}
