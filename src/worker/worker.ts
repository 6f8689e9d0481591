import type { StopOrder } from "../process/port.ts";
import type { Job } from "../store/job.ts";
import type { Outlived } from "./adoption.ts";
import type { ReeveError } from "../errors.ts";
import { Dispatcher } from "./dispatcher.ts";
import { ExitHandlers } from "./exit-handlers.ts";
import { waitForLock } from "./locks.ts";
import { GoalWatch } from "./goal.ts";
import { Intake } from "./intake.ts";
import { Leases } from "./leases.ts";
import { Maintenance } from "./maintenance.ts";
import { Planner } from "./plan.ts";
import { stays, type Lock, type Ports, type WorkerEnd, type WorkerSettings } from "./ports.ts";
import { Recovery } from "./recovery.ts";
import { Slots } from "./slots.ts";
import { Stop } from "./stop.ts";
import { Wake } from "./wake.ts";

/** One process that runs jobs. */
export class Worker {
  readonly #settings: WorkerSettings;
  readonly #ports: Ports;
  readonly #wake: Wake;
  readonly #stop: Stop;
  readonly #goal: GoalWatch;
  readonly #slots: Slots;
  readonly #planner: Planner;
  readonly #exitHandlers: ExitHandlers;
  readonly #leases: Leases;
  readonly #maintenance: Maintenance;
  #dispatcher: Dispatcher | null = null;
  /** Somebody may have asked for an abort or a suspension since the last look. */
  #maySteer = false;
  #intake: Intake | null = null;
  /** A queue was never reached. */
  #unreachable: ReeveError | null = null;

  constructor(settings: WorkerSettings, ports: Ports) {
    this.#settings = settings;
    this.#ports = ports;
    this.#slots = new Slots(ports.store.location.worker(settings.id), ports.processes);
    this.#wake = new Wake(ports.clock);
    this.#stop = new Stop(ports.clock, settings.stopBudgetMs, this.#wake.call);
    this.#leases = new Leases(ports, this.#stop.fault);
    this.#goal = new GoalWatch(settings.goal, ports, this.#wake.call);
    const planner = (this.#planner = new Planner(settings.definitions, settings.environment));
    const exitHandlers = (this.#exitHandlers = new ExitHandlers(ports, settings.host, this.#stop));
    const shared = { ...settings, ports, worker: settings.id };
    const recovery = new Recovery({ ...shared, planner, exitHandlers, adopt: this.#adopt });
    this.#maintenance = new Maintenance({ ...shared, recovery, poke: this.#rung, onFault: this.#stop.fault });
  }

  /** Asks it to end its jobs and itself; asked again after a while, at once. The jobs get this signal, else their own. */
  stop(why: string, signal: StopOrder["signal"] | null = null): void {
    if (this.#stop.ask(signal) !== "first") return;
    this.#ports.emit({ type: "worker stopping", worker: this.#settings.id, why });
  }

  /** Asks it to end when what runs has ended. */
  finish(why: string): void {
    this.#stop.finish();
    this.#ports.emit({ type: "worker stopping", worker: this.#settings.id, why });
  }

  /** Has all jobs stand still and takes no more, or has them go on: never the worker itself. */
  standStill(wanted: boolean): void {
    this.#dispatcher?.steering.standStill(wanted).catch(this.#stop.fault);
  }

  /**
   * Works until its goal is reached or it is stopped.
   *
   * @throws what keeps it from working: the store is broken, or was replaced.
   */
  async work(): Promise<WorkerEnd> {
    const lock = await this.#begin();
    try {
      const dispatcher = (this.#dispatcher = this.#makeDispatcher());
      const unwatch = this.#watch();
      this.#maintenance.start();
      const intake = (this.#intake = this.#makeIntake(dispatcher));
      await this.#loop(dispatcher, intake);
      unwatch();
      // Recovery may wait for a tree to end.
      await this.#inTime(this.#maintenance.stop(), () => this.#stop.isPressing);
      await this.#end(dispatcher, intake);
      return { counts: dispatcher.counts, ranAny: intake.foundAny };
    } finally {
      this.#stop.close();
      lock.release();
    }
  }

  /** What came of it before the stop's time was over; null: that has no time for it, which is left to the next worker. */
  async #inTime<T>(work: Promise<T>, isOver = (): boolean => this.#stop.isOverdue): Promise<T | null> {
    const ended: T[] = [];
    const noted = work.then((value) => {
      ended.push(value);
      this.#wake.call();
    });
    noted.catch(this.#stop.fault);
    await this.#until(() => ended.length > 0 || isOver());
    return ended[0] ?? null;
  }

  /** Until it is so, or the stop's time is over. Whatever makes it so wakes us. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#stop.isOverdue && !this.#stop.faulted) {
      if (this.#stop.isShort) this.#dispatcher?.killAll();
      await this.#wake.sleep(Number.POSITIVE_INFINITY);
    }
  }

  /** Claim, steer, poll, wait. */
  async #loop(dispatcher: Dispatcher, intake: Intake): Promise<void> {
    for (;;) {
      intake.claim();
      this.#steer(dispatcher);
      if (this.#isDone(dispatcher, intake)) return;
      intake.poll();
      const called = await this.#wake.sleep(intake.sleepMs);
      if (!called) intake.poke();
    }
  }

  readonly #poke = (): void => {
    this.#intake?.poke();
    this.#wake.call();
  };

  readonly #rung = (): void => {
    this.#maySteer = true;
    this.#poke();
  };

  /** What was asked of the job while it had no worker is done now. */
  readonly #adopt = async (job: Job, outlived: Outlived): Promise<boolean> => {
    const isAdopted = (await this.#dispatcher?.adopt(job, outlived)) ?? false;
    if (isAdopted) this.#goal.worked();
    this.#rung();
    return isAdopted;
  };

  #steer(dispatcher: Dispatcher): void {
    if (this.#maySteer) this.#look(dispatcher);
    if (this.#stop.isAsked) dispatcher.stopAll();
    if (this.#stop.faulted || this.#stop.isShort) dispatcher.killAll();
  }

  /** Somebody may have asked for something, or given us something. */
  #look(dispatcher: Dispatcher): void {
    this.#maySteer = false;
    dispatcher.steering.look();
    this.#leases.takeNewerReceipts(this.#settings.id).catch(this.#stop.fault);
  }

  #isDone(dispatcher: Dispatcher, intake: Intake): boolean {
    if (this.#stop.isOverdue) return true;
    const isFree = dispatcher.running === dispatcher.leftAlone;
    if (this.#stop.faulted) return isFree || !this.#ports.store.isInPlace();
    const isTold = this.#leases.size === 0;
    if (this.#stop.isClosing) return isFree && isTold && (!intake.isPolling || this.#stop.isShort);
    if (intake.isBusy || dispatcher.awaited > 0 || !isTold) return false;
    // Whoever starts nothing more does not look whether there is anything.
    if (dispatcher.isExhausted) return true;
    return intake.hasClaimed && this.#goal.isReached(intake.foundNothing && this.#maintenance.hasRecovered);
  }

  #watch(): () => void {
    const { store, clock } = this.#ports;
    const { maxTimeMs } = this.#settings.goal;
    const unwatch = store.watch("workers", this.#rung);
    // A stop that somebody else has asked for goes on as it was.
    const timeIsOver = (): void => void (this.#stop.isAsked || this.stop("its time is over"));
    const cancel = maxTimeMs === null ? null : clock.after(maxTimeMs, timeIsOver);
    return () => {
      unwatch();
      cancel?.();
      this.#goal.close();
    };
  }

  /** Slots and lock first: whoever sees the row can tell whether the worker lives. The first claim shares its commit. */
  async #begin(): Promise<Lock> {
    const { store, locks, clock, emit } = this.#ports;
    const { id, host, version, concurrency, foreground } = this.#settings;
    const { directory } = this.#slots;
    const lock = locks.tryTake(directory) ?? (await waitForLock(locks, directory, clock));
    for (let index = 0; index < concurrency; index += 1) this.#slots.add();
    const row = { ...host, id, directory, host: host.name, startedAt: clock.now(), version, concurrency };
    const registered = store.write(() => store.workers.register(foreground ? { ...row, concurrency: 0 } : row));
    const started = { type: "worker started", worker: id, concurrency, store: store.location.directory } as const;
    registered.then(() => emit(started)).catch(this.#stop.fault);
    return lock;
  }

  #makeIntake(dispatcher: Dispatcher): Intake {
    return new Intake({
      ports: this.#ports,
      settings: this.#settings,
      dispatcher,
      goal: this.#goal,
      isReady: () => this.#maintenance.hasAdopted,
      wake: this.#wake.call,
      onUnreachable: (error) => {
        this.#unreachable ??= error;
        this.stop(error.message);
      },
      onFault: this.#stop.fault,
    });
  }

  #makeDispatcher(): Dispatcher {
    return new Dispatcher({
      ports: this.#ports,
      worker: this.#settings.id,
      planner: this.#planner,
      slots: this.#slots.all,
      definitions: this.#settings.foreground ? new Map() : this.#settings.definitions,
      newWarmSlot: () => this.#slots.addWarm(),
      maxJobs: this.#settings.goal.maxJobs,
      stays: stays(this.#settings.goal),
      newSlot: () => this.#slots.add(),
      poke: this.#poke,
      wake: this.#wake.call,
      stop: this.#stop,
      exitHandlers: this.#exitHandlers,
      leases: this.#leases,
      endsOutliving: this.#settings.endsOutliving,
    });
  }

  /** What is not in order is left as it is, for the next worker's recovery; so is what goes on. */
  async #end(dispatcher: Dispatcher, intake: Intake): Promise<void> {
    const { store, processes, emit } = this.#ports;
    const { id } = this.#settings;
    const left = dispatcher.letGo();
    await this.#until(() => dispatcher.running === left);
    await this.#inTime(Promise.all([intake.close(), dispatcher.spares.end()]));
    if (!this.#stop.faulted && dispatcher.running === left) {
      if (left === 0) await processes.sweep();
      // This waits behind the ends of the jobs, on a full disk for long.
      const isGone = await this.#inTime(store.write(() => left === 0 && store.workers.unregister(id)));
      if (isGone) this.#slots.remove();
    }
    if (this.#stop.faulted) throw this.#stop.faulted.of;
    if (this.#unreachable) throw this.#unreachable;
    emit({ type: "worker ended", worker: id, counts: dispatcher.counts, left });
  }
}
