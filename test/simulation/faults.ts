import type { TreeName } from "../../src/process/port.ts";
import { STAY, type Goal } from "../../src/worker/ports.ts";
import type { Mutation } from "./mutations.ts";
import type { VirtualProcess } from "./process-table.ts";
import type { Random } from "./random.ts";
import type { WorkerLife } from "./watched.ts";
import { FINISH, type Workplace } from "./workplace.ts";

const HOUR_MS = 3_600_000;
/** A further signal is taken for the same stop so long. */
const SAME_STOP_MS = 2000;
/** What somebody may send to a process that is not his. */
const FOREIGN = ["SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

const MEDDLING: Partial<Record<Mutation, string>> = {
  "somebody wakes what stands still": "SIGCONT",
  "somebody stops what runs": "SIGSTOP",
};

/** What goes wrong in a history, and what operators do. */
export class Faults {
  readonly #place: Workplace;
  readonly #random: Random;
  #isOver = false;

  constructor(place: Workplace) {
    this.#place = place;
    this.#random = place.world.random;
  }

  /** Spreads faults over so many milliseconds. */
  plan(count: number, milliseconds: number): void {
    for (let index = 0; index < count; index += 1) {
      this.#place.world.after(this.#random.between(0, milliseconds), null, () => this.#one());
    }
    this.keepStaffed();
  }

  /** Somebody always starts another worker. */
  keepStaffed(): void {
    if (this.#isOver) return;
    this.#meddle();
    if (this.#living().length === 0) this.#hire();
    this.#place.world.after(this.#random.between(200, 8000), null, () => this.keepStaffed());
  }

  /** For checks of the checker. Main processes are not stopped: what looks at their time would notice it first. */
  #meddle(): void {
    const { mutation, table } = this.#place.machine;
    const signal = mutation && MEDDLING[mutation];
    if (!signal) return;
    const isKept = (tree: TreeName): boolean => table.ofTree(tree).some(({ isKeeper }) => isKeeper);
    const isSpared = ({ tree, isLeader, isKeeper }: VirtualProcess): boolean =>
      isKeeper || (signal === "SIGSTOP" && (isLeader || isKept(tree)));
    const jobs = table.all.filter((one) => one.tree.role === "job" && !isSpared(one));
    if (jobs.length > 0) table.signal([this.#random.pick(jobs).pid], signal, "outside");
  }

  #living(): readonly WorkerLife[] {
    return this.#place.workers.filter(({ life }) => !life.isDead);
  }

  #hire(): void {
    this.#place.startWorker(this.#goal(), false);
  }

  #goal(): Goal {
    const { next, between, pick } = {
      next: this.#random.next,
      between: (least: number, most: number) => this.#random.between(least, most),
      pick: <T>(list: readonly T[]) => this.#random.pick(list),
    };
    if (next() < 0.7) return STAY;
    return {
      ...STAY,
      ...pick<Partial<Goal>>([
        { drain: true },
        { whenEmpty: true },
        { maxJobs: between(1, 5) },
        { maxTimeMs: between(1000, 60_000) },
        { idleExitMs: between(0, 20_000) },
      ]),
    };
  }

  #one(): void {
    if (this.#isOver) return;
    const { world } = this.#place;
    const dice = this.#random.next();
    const living = this.#living();
    if (dice < 0.14 || living.length === 0) return this.#hire();
    const one = this.#random.pick(living);
    if (dice < 0.28) return one.life.die("killed");
    if (dice < 0.37) return this.#pause(one);
    if (dice < 0.5) return this.stop(one);
    if (dice < 0.54) return this.#finish(one);
    if (dice < 0.59) return this.#standStill(one);
    if (dice < 0.67) return this.#signalSomething();
    if (dice < 0.72) return this.#signalAll(one);
    if (dice < 0.78) return world.jump(this.#random.between(-2 * HOUR_MS, 2 * HOUR_MS) >> this.#random.between(0, 12));
    if (dice < 0.83) return this.#forAWhile("the disk is full", (is) => (this.#place.machine.disk.isFull = is));
    if (dice < 0.88)
      return this.#forAWhile("the store is busy", (is) => (this.#place.machine.disk.busy = is ? 0.7 : 0));
    if (dice < 0.92) return this.#forAWhile("rings are lost", (is) => (this.#place.bells.lost = is ? 0.5 : 0));
    if (dice < 0.95)
      return this.#forAWhile("resources are scarce", (is) => (this.#place.machine.scarcity = is ? 0.7 : 0));
    if (dice < 0.98) return this.#breakDisk(one);
    return this.#place.reboot();
  }

  #pause({ life }: WorkerLife): void {
    life.pause();
    this.#place.world.after(this.#random.between(10, 40_000), null, () => life.resume());
  }

  /** Signals come singly, in a row, or again after a while. */
  stop(one: WorkerLife): void {
    const { world } = this.#place;
    const signals = this.#random.pick([[0], [0], [0, 100], [0, 2500], [0, 2500], [0, 100, 6000]]);
    for (const delay of signals) {
      world.after(delay, one.life, () => {
        one.life.say("is asked to stop");
        if (one.stopAskedAt !== null && world.now - one.stopAskedAt >= SAME_STOP_MS) one.nowAskedAt ??= world.now;
        one.stopAskedAt ??= world.now;
        one.worker.stop("a signal");
      });
    }
  }

  /** SIGTSTP, and SIGCONT after a while. */
  #standStill({ life, worker }: WorkerLife): void {
    const { world } = this.#place;
    const ask = (wanted: boolean): void => {
      life.say(wanted ? "is to stand still" : "is to go on");
      worker.standStill(wanted);
    };
    world.after(0, life, () => ask(true));
    world.after(this.#random.between(1, 20_000), life, () => ask(false));
  }

  /** A job's process, or an exit handler's, is signalled by somebody who has nothing to do with it. */
  #signalSomething(): void {
    const { table } = this.#place.machine;
    if (table.all.length === 0) return;
    const { pid, tree } = this.#random.pick(table.all);
    const signal = this.#random.pick(FOREIGN);
    this.#place.world.say("", `somebody sends ${signal} to process ${pid} of ${tree.job.slice(0, 6)}`);
    table.signal([pid], signal, "outside");
  }

  /** As systemd stops a service: the worker and all that its jobs started, in no order. */
  #signalAll(one: WorkerLife): void {
    const { world, machine, ledger } = this.#place;
    const isIts = (job: string): boolean => ledger.get(job)?.row?.worker === one.life.name;
    const send = (): void => {
      const pids = machine.table.all.filter(({ tree }) => isIts(tree.job)).map(({ pid }) => pid);
      world.say("", `SIGTERM for ${one.life.name} and processes ${pids.join(" ")}`);
      machine.table.signal(pids, "SIGTERM", "outside");
    };
    world.after(this.#random.between(0, 100), null, send);
    world.after(this.#random.between(0, 800), null, () => this.stop(one));
  }

  #finish({ life, worker }: WorkerLife): void {
    this.#place.world.after(0, life, () => {
      life.say("is asked to finish");
      worker.finish(FINISH);
    });
  }

  #breakDisk({ life }: WorkerLife): void {
    life.say("has a broken disk");
    life.diskIsBroken = true;
  }

  #forAWhile(what: string, set: (is: boolean) => void): void {
    const { world } = this.#place;
    world.say("", what);
    set(true);
    world.after(this.#random.between(10, 8000), null, () => {
      world.say("", `no more: ${what}`);
      set(false);
    });
  }

  /** From here on all goes well. */
  end(): void {
    const { machine, bells, workers, world } = this.#place;
    this.#isOver = true;
    world.setClock();
    Object.assign(machine.disk, { isFull: false, busy: 0 });
    machine.scarcity = 0;
    bells.lost = 0;
    for (const { life } of workers) {
      life.resume();
      life.survive();
    }
  }
}
