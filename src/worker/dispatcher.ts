import type { JobCounts } from "../events.ts";
import type { Slot } from "../process/port.ts";
import type { Queue, RemoteQueue, Request } from "../queue/port.ts";
import type { AttemptEnd, Job, Settlement } from "../store/job.ts";
import { ActiveJob, type Started } from "./active-job.ts";
import { admit } from "./admission.ts";
import { adopt, type Outlived } from "./adoption.ts";
import { Alone } from "./alone.ts";
import type { DispatcherOptions } from "./dispatcher-options.ts";
import { countedAs } from "./ending.ts";
import { Pauses } from "./pauses.ts";
import { Spares } from "./spares.ts";
import { Steering } from "./steering.ts";
import { run, type RunContext } from "./run.ts";
import { ShortJobs } from "./short-jobs.ts";
import type { Outcome } from "./supervise.ts";

/** Keeps the slots busy: claims what there are free slots for, and runs it. */
export class Dispatcher {
  readonly steering: Steering;
  readonly counts: JobCounts = { completed: 0, failed: 0, putBack: 0 };
  readonly shortJobs: ShortJobs;
  readonly spares: Spares;
  readonly #options: DispatcherOptions;
  readonly #context: RunContext;
  readonly #pauses: Pauses;
  #free: readonly Slot[];
  readonly #active = new Set<ActiveJob>();
  readonly #alone: Alone;
  /** Slots that are kept for what polls may bring. */
  #reserved = 0;
  #started = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.steering = new Steering(this.#active, options);
    this.shortJobs = new ShortJobs(this.#active, options.ports.clock);
    this.#free = [...options.slots];
    this.spares = new Spares(options);
    this.spares.begin(() => !this.takesNoMore);
    this.#pauses = new Pauses(options.ports, options.poke);
    this.#alone = new Alone(this.#active);
    this.#context = {
      ports: options.ports,
      worker: options.worker,
      exitHandlers: options.exitHandlers,
      stays: options.stays,
      leases: options.leases,
      alone: (active) => this.#alone.until(active),
      stopsWithin: (milliseconds) => options.stop.within(milliseconds),
      ending: (active, outcome) => this.#vacate(active, outcome),
      told: options.wake,
      ended: (active, end, settlement) => this.#ended(active, end, settlement),
    };
  }

  get running(): number {
    return this.#active.size;
  }

  /** Those of them that go on when the worker ends. */
  get leftAlone(): number {
    return this.#count(({ isLeftAlone }) => isLeftAlone);
  }

  /** Those of them that must have ended before its goal is reached: of a number to run, not what others began. */
  get awaited(): number {
    if (this.#options.maxJobs === null) return this.running;
    return this.#count(({ isLeftAlone, started }) => !isLeftAlone || started.adopted === null);
  }

  #count(which: (active: ActiveJob) => boolean): number {
    return [...this.#active].filter(which).length;
  }

  /** Whether all jobs that may be started have been. */
  get isExhausted(): boolean {
    return this.#mayStart() <= 0;
  }

  get takesNoMore(): boolean {
    return this.isExhausted || this.#options.stop.isClosing;
  }

  /** Claims from the store's own queue until no slot is free or nothing is there. Gives whether anything was started. */
  async topUp(queue: Queue): Promise<boolean> {
    let any = false;
    while (this.room > 0) {
      const started = await this.#receive(
        queue,
        () => this.#request(this.room),
        (index) => this.#free[index],
      );
      if (started.length === 0) return any;
      any = true;
      const taken = new Set(started.map(({ slot }) => slot));
      this.#free = this.#free.filter((slot) => !taken.has(slot));
      this.#startAll(started);
    }
    return any;
  }

  /** Polls a queue elsewhere, with slots set aside for what it may bring. Gives how many jobs were started. */
  async poll(queue: RemoteQueue, max: number, waitSeconds: number): Promise<number> {
    const slots = this.#free.slice(0, max);
    this.#free = this.#free.slice(slots.length);
    this.#reserved += slots.length;
    let started: readonly Started[] = [];
    try {
      const request = () => ({ ...this.#request(this.#mayTake ? slots.length : 0), waitSeconds });
      started = await this.#receive(queue, request, (index) => slots[index]);
    } finally {
      const taken = new Set(started.map(({ slot }) => slot));
      this.#free = [...this.#free, ...slots.filter((slot) => !taken.has(slot))];
      this.#reserved -= slots.length;
    }
    if (started.length > 0) this.#startAll(started);
    return started.length;
  }

  /** Jobs that could be started now. */
  get room(): number {
    if (!this.#mayTake) return 0;
    // A job in a directory of its own takes a place, too.
    const places = this.#options.slots.length - this.#active.size - this.#reserved;
    return Math.min(this.#free.length, places, this.#mayStart() - this.#reserved);
  }

  get #mayTake(): boolean {
    const { stop } = this.#options;
    return !this.steering.standsStill && !this.#pauses.takesNothing && !stop.isClosing && !this.#alone.isWanted;
  }

  #mayStart(): number {
    return (this.#options.maxJobs ?? Number.POSITIVE_INFINITY) - this.#started;
  }

  #request(max: number): Request {
    return { max, idle: this.#active.size === 0, without: this.#pauses.definitions };
  }

  /** What comes is admitted within the transaction of the claim, and perhaps more than once. */
  async #receive(
    queue: Queue,
    request: () => Request,
    slotAt: (index: number) => Slot | undefined,
  ): Promise<readonly Started[]> {
    const picks = this.spares.picks();
    let started: readonly Started[] = [];
    try {
      started = await queue.receive(request, (message, index) => {
        const free = slotAt(index);
        if (!free) throw new Error("the queue gave more than was asked for");
        const warm = (definition: string | null) => picks.at(index, definition);
        return admit(queue, message, { free, warm }, this.#options);
      });
      return started;
    } finally {
      picks.settle(new Set(started.map(({ slot }) => slot)));
    }
  }

  #startAll(started: readonly Started[]): void {
    this.#options.ports.store.mustBeInPlace();
    this.#started += started.length;
    for (const one of started) this.#start(one);
  }

  /**
   * A job that outlived its worker is this one's from now on, also where all places are taken. False: it is left to
   * the next.
   */
  async adopt(dead: Job, outlived: Outlived): Promise<boolean> {
    const started = this.#options.stop.isClosing ? null : await adopt(dead, outlived, this.#options);
    if (!started) {
      outlived.tree.letGo();
      return false;
    }
    const { abortBy, phase } = started.job;
    // Its worker may have been killed between a signal to it and the record of that.
    if (phase !== "SUSPENDED") outlived.tree.resume();
    const active = this.#start(started);
    if (phase === "SUSPENDED") active.inTurn(() => outlived.tree.suspend()).catch(this.#options.stop.fault);
    // Who asked for it does not know that there was nobody to do it.
    if (abortBy !== null && outlived.tree.hasEnded()) active.explain("abort", abortBy);
    return true;
  }

  #start(started: Started): ActiveJob {
    const { stop, ports, wake, endsOutliving, leases } = this.#options;
    const active = new ActiveJob(started, {
      clock: ports.clock,
      graceLeft: () => stop.graceLeftMs,
      stopSignal: () => stop.signal,
      wake,
      endsOutliving,
    });
    this.#active.add(active);
    active.lease = leases.of(active);
    if (stop.isAsked) active.endByStop();
    run(active, this.#context).catch((error: unknown) => this.#abandon(active, error));
    return active;
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
    this.shortJobs.ended(active);
    this.#alone.look();
    const isInUse = outcome.left !== null || outcome.isLeft;
    if (!this.spares.takeBack(started.slot, isInUse) && !started.outlives)
      this.#free = [...this.#free, isInUse ? this.#options.newSlot() : started.slot];
    this.#pauses.ended(started.job.definition, outcome.ending, this.#options.stays);
    this.#options.poke();
  }

  #ended({ started }: ActiveJob, end: AttemptEnd, settlement: Settlement): void {
    const { job, startedAt, slot, outlives } = started;
    if (outlives) slot.close();
    this.counts[countedAs(settlement)] += 1;
    const ranMs = end.ranMs ?? Math.max(0, end.endedAt - startedAt);
    this.#options.ports.emit({ type: "job ended", job: job.id, attempt: job.attempts, end, settlement, ranMs });
    this.#options.wake();
  }

  /** Ends what runs, and what waits for jobs. */
  stopAll(): void {
    this.steering.stopAll();
    this.spares.end().catch(this.#options.stop.fault);
  }

  /** What goes on without this worker is none of its business any more. Gives how many these are. */
  letGo(): number {
    const left = [...this.#active].filter(({ isLeftAlone }) => isLeftAlone);
    for (const active of left) active.letGo();
    return left.length;
  }

  killAll(): void {
    this.#options.exitHandlers.killAll();
    for (const active of this.#active) active.kill();
  }
}
