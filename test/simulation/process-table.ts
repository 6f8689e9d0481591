import type { TreeName } from "../../src/process/port.ts";
import type { ProcessStat } from "../../src/process/proc.ts";
import type { Life } from "./life.ts";
import type { Behaviour, How } from "./programs.ts";
import type { World } from "./world.ts";

/** Who sends a signal; `outside` is somebody on the machine, or the kernel. */
export type Sender = Life | "outside";

/** What is looked at whenever something happens to a virtual process. */
export interface TableWatch {
  ended(one: VirtualProcess, how: How): void;
  /** Before the signal has any effect. */
  signalling(one: VirtualProcess, signal: string, by: Sender): void;
}

/** Between a signal and the death that it brings. */
const SLOWEST_DEATH_MS = 40;
/** Between SIGSTOP and the moment in which it stands still. */
const SLOWEST_STOP_MS = 5;

interface Milestone {
  /** Milliseconds that it has run by then. */
  readonly atMs: number;
  readonly run: () => void;
}

interface Whose {
  readonly tree: TreeName;
  readonly pidNamespace: string;
}

interface Rank {
  readonly isLeader: boolean;
  readonly isKeeper: boolean;
}

/** One virtual process: its time goes on only while it runs. */
export class VirtualProcess {
  readonly pid: number;
  readonly tree: TreeName;
  readonly pidNamespace: string;
  /** Whether it leads the session. */
  readonly isLeader: boolean;
  /** Whether it only keeps the end of another. */
  readonly isKeeper: boolean;
  readonly onTerm: How | null;
  readonly windUpMs: number;
  readonly unkillableUntil: number;
  readonly begunAt: number;
  /** KILL has been sent. */
  isDoomed = false;
  /** Who sent it signals that ask it to end, since when, and how many milliseconds it had run by then. */
  readonly asked = new Map<Sender, { readonly at: number; readonly ranMs: number }>();
  /** It is doing what it does when it is asked to end. */
  isWindingUp = false;
  /** Who sent the signal that it died by; null: it ended by itself. */
  killer: Sender | null = null;
  /** SIGSTOP is under way. */
  isToStop = false;
  /** A signal that came while it stood still, and is taken when it goes on. */
  pending: { readonly signal: string; readonly by: Sender } | null = null;
  readonly #world: World;
  #milestones: Milestone[] = [];
  #ranMs = 0;
  #since: number | null;
  #cancel = (): void => {};

  constructor(
    world: World,
    pid: number,
    whose: Whose & Rank,
    { onTerm, windUpMs, unkillableMs }: Pick<Behaviour, "onTerm" | "windUpMs" | "unkillableMs">,
  ) {
    this.#world = world;
    this.pid = pid;
    this.tree = whose.tree;
    this.pidNamespace = whose.pidNamespace;
    this.isLeader = whose.isLeader;
    this.isKeeper = whose.isKeeper;
    this.onTerm = onTerm;
    this.windUpMs = windUpMs;
    this.unkillableUntil = world.now + unkillableMs;
    this.begunAt = world.now;
    this.#since = world.now;
  }

  get isStopped(): boolean {
    return this.#since === null;
  }

  /** In the kernel, where no signal reaches it. */
  get isStuck(): boolean {
    return this.unkillableUntil >= this.#world.now;
  }

  /** Whether it does anything, or could. */
  get moves(): boolean {
    return !this.isStopped && !this.isDoomed && !this.isStuck;
  }

  /** Milliseconds that it has run, not counted those in which it stood still. */
  get ranMs(): number {
    return this.#ranMs + (this.#since === null ? 0 : this.#world.now - this.#since);
  }

  /** From now on these are ahead of it, and nothing else. */
  plan(milestones: readonly Milestone[]): void {
    this.#milestones = milestones.toSorted((a, b) => a.atMs - b.atMs);
    this.#arm();
  }

  /** What is ahead of it until it will have run so long. */
  plannedUntil(atMs: number): Milestone[] {
    return this.#milestones.filter((one) => one.atMs <= atMs);
  }

  #arm(): void {
    this.#cancel();
    const [next] = this.#milestones;
    if (!next || this.isStopped) return;
    this.#cancel = this.#world.after(next.atMs - this.ranMs, null, () => {
      this.#milestones.shift();
      next.run();
      this.#arm();
    });
  }

  noteAsked(by: Sender): void {
    if (!this.asked.has(by)) this.asked.set(by, { at: this.#world.now, ranMs: this.ranMs });
  }

  standStill(): void {
    this.#ranMs = this.ranMs;
    this.#since = null;
    this.#cancel();
  }

  goOn(): void {
    if (this.#since !== null) return;
    this.#since = this.#world.now;
    this.#arm();
  }

  /** It is dead. */
  end(): void {
    this.standStill();
    this.#milestones = [];
  }
}

/** Who keeps an end says so within so many milliseconds, and takes as long to write it down. */
const SLOWEST_KEEPER_MS = 5;

/** It is to be killed, or to end when it has kept what it is there for. */
const KEEPER = { onTerm: null, windUpMs: 0, unkillableMs: 0 };

/** Where the end of a main process is written down. */
export interface Keeping {
  /** @param isLate - it could not before. */
  begun(pid: number, isLate: boolean): void;
  ended(how: How): void;
  /** Who was to keep it is dead. */
  lost(): void;
}

const isSameTree = (one: TreeName, other: TreeName): boolean =>
  one.job === other.job && one.attempt === other.attempt && one.role === other.role;

/** All virtual processes but the workers. They outlive whoever started them. */
export class ProcessTable {
  readonly #world: World;
  readonly #watch: TableWatch;
  readonly #living = new Map<number, VirtualProcess>();
  #lastPid = 1000;
  /** For a check of the checker: nothing reaches exit handlers. */
  isDeaf = false;
  /** Until when any of them waited in the kernel. */
  stuckUntil = Number.NEGATIVE_INFINITY;

  constructor(world: World, watch: TableWatch) {
    this.#world = world;
    this.#watch = watch;
  }

  get all(): readonly VirtualProcess[] {
    return [...this.#living.values()];
  }

  isAlive(one: VirtualProcess): boolean {
    return this.#living.has(one.pid);
  }

  /** Those of a job: its own, or also those that clean up after it. */
  of(job: string, role?: TreeName["role"]): readonly VirtualProcess[] {
    return this.all.filter(({ tree }) => tree.job === job && (role === undefined || tree.role === role));
  }

  ofTree(name: TreeName): readonly VirtualProcess[] {
    return this.all.filter(({ tree }) => isSameTree(tree, name));
  }

  /**
   * Starts a main process; it forks while it runs, and when it ends it leaves others behind. Where its end is to be
   * kept, it is the child of who keeps it.
   */
  start(
    whose: Whose,
    behaviour: Behaviour,
    ended: (how: How) => void,
    keeping: Keeping | null = null,
  ): { readonly main: VirtualProcess; readonly keeper: VirtualProcess | null } {
    const keeper = keeping && this.#add({ ...whose, isLeader: true, isKeeper: true }, KEEPER);
    const main = this.#add({ ...whose, isLeader: keeper === null, isKeeper: false }, behaviour);
    if (keeper && keeping) {
      this.#atEnd.set(keeper.pid, (how) => {
        keeping.lost();
        ended(how);
      });
    }
    this.#atEnd.set(main.pid, (how) => {
      // Whoever was just forking when it died leaves what nobody has seen yet; what stood still did not.
      if (!main.isStopped) for (const stray of behaviour.strays) this.#fork(whose, behaviour, stray);
      if (keeper && keeping) this.#keep(keeper, keeping, how);
      else ended(how);
    });
    if (keeper && keeping) this.#planKeeper(keeper, keeping);
    this.#planMain(main, whose, behaviour);
    return { main, keeper };
  }

  #planKeeper(keeper: VirtualProcess, keeping: Keeping): void {
    const run = (): void => keeping.begun(keeper.pid, this.#world.now - keeper.begunAt > SLOWEST_KEEPER_MS);
    keeper.plan([{ atMs: this.#soonMs(), run }]);
  }

  #planMain(main: VirtualProcess, whose: Whose, behaviour: Behaviour): void {
    const end = { atMs: behaviour.runMs, run: () => this.end(main, behaviour.exit) };
    const forks = behaviour.children
      .filter(({ afterMs }) => afterMs < behaviour.runMs)
      .map((child) => ({ atMs: child.afterMs, run: () => this.#fork(whose, behaviour, child) }));
    main.plan([...forks, end]);
  }

  readonly #soonMs = (): number => this.#world.random.between(0, SLOWEST_KEEPER_MS);

  /** A shell exits with 128 + n for a signal. */
  #keep(keeper: VirtualProcess, keeping: Keeping, how: How): void {
    const run = (): void => {
      // What KILL was sent to does nothing more.
      if (keeper.isDoomed) return;
      keeping.begun(keeper.pid, false);
      keeping.ended(how);
      this.end(keeper, how.signal === null ? how : { code: 255, signal: null });
    };
    keeper.plan([{ atMs: keeper.ranMs + this.#soonMs(), run }]);
  }

  isKeeper(pid: number): boolean {
    return this.#living.get(pid)?.isKeeper ?? false;
  }

  readonly #atEnd = new Map<number, (how: How) => void>();

  #fork(whose: Whose, parent: Behaviour, { runMs, obeys }: Behaviour["strays"][number]): void {
    const onTerm = obeys ? { code: null, signal: "SIGTERM" } : null;
    const child = this.#add({ ...whose, isLeader: false, isKeeper: false }, { ...parent, onTerm, windUpMs: 0 });
    child.plan([{ atMs: runMs, run: () => this.end(child, parent.exit) }]);
  }

  #add(whose: Whose & Rank, behaviour: Pick<Behaviour, "onTerm" | "windUpMs" | "unkillableMs">): VirtualProcess {
    this.#lastPid += 1;
    const one = new VirtualProcess(this.#world, this.#lastPid, whose, behaviour);
    this.#living.set(one.pid, one);
    if (behaviour.unkillableMs > 0) this.stuckUntil = Math.max(this.stuckUntil, one.unkillableUntil);
    return one;
  }

  end(one: VirtualProcess, how: How): void {
    if (!this.#living.delete(one.pid)) return;
    const { job, role } = one.tree;
    const whose = role === "job" ? "" : " (exit handler)";
    this.#world.say("", `process ${one.pid} of ${job.slice(0, 6)}${whose} ends: ${how.signal ?? how.code}`);
    const stoodStill = one.isStopped;
    this.#watch.ended(one, how);
    this.#atEnd.get(one.pid)?.(how);
    this.#atEnd.delete(one.pid);
    one.end();
    if (one.isLeader && stoodStill) this.#wakeOrphans(one.tree);
  }

  /** The kernel does so to stopped process groups that have lost their session: setpgid(2). */
  #wakeOrphans(tree: TreeName): void {
    const pids = this.ofTree(tree)
      .filter(({ isStopped }) => isStopped)
      .map(({ pid }) => pid);
    this.signal(pids, "SIGHUP", "outside");
    this.signal(pids, "SIGCONT", "outside");
  }

  signal(pids: readonly number[], signal: string, by: Sender): void {
    for (const pid of pids) {
      const one = this.#living.get(pid);
      if (!one) continue;
      this.#watch.signalling(one, signal, by);
      if (one.tree.role === "exit handler" && this.isDeaf) continue;
      this.#deliver(one, signal, by);
    }
  }

  #deliver(one: VirtualProcess, signal: string, by: Sender): void {
    switch (signal) {
      case "SIGKILL":
        return this.#kill(one, by);
      case "SIGSTOP":
        return this.#stop(one);
      case "SIGCONT":
        return this.#continue(one);
      default:
        return this.#ask(one, signal, by);
    }
  }

  /** Once what it does in the kernel is over, and a moment later. */
  #soon(one: VirtualProcess, slowestMs: number, run: () => void): void {
    const stuck = Math.max(0, one.unkillableUntil - this.#world.now);
    this.#world.after(stuck + this.#world.random.between(0, slowestMs), null, () => this.isAlive(one) && run());
  }

  #kill(one: VirtualProcess, by: Sender): void {
    one.noteAsked(by);
    if (one.isDoomed) return;
    one.isDoomed = true;
    this.#soon(one, SLOWEST_DEATH_MS, () => {
      one.killer = by;
      this.end(one, { code: null, signal: "SIGKILL" });
    });
  }

  #stop(one: VirtualProcess): void {
    // When it comes back from the kernel it does nothing more.
    if (one.isStuck) return one.standStill();
    one.isToStop = true;
    this.#soon(one, SLOWEST_STOP_MS, () => {
      if (one.isToStop) one.standStill();
      one.isToStop = false;
    });
  }

  #continue(one: VirtualProcess): void {
    one.isToStop = false;
    one.goOn();
    const { pending } = one;
    one.pending = null;
    if (pending) this.#ask(one, pending.signal, pending.by);
  }

  /** It takes its time to end, as long as it runs; what it would have done later it does not do any more. */
  #ask(one: VirtualProcess, signal: string, by: Sender): void {
    one.noteAsked(by);
    const { onTerm } = one;
    if (onTerm === null || one.isWindingUp) return;
    if (one.isStopped) {
      one.pending ??= { signal, by };
      return;
    }
    one.isWindingUp = true;
    const stuck = Math.max(0, one.unkillableUntil - this.#world.now);
    const atMs = one.ranMs + stuck + one.windUpMs + this.#world.random.between(0, SLOWEST_DEATH_MS);
    const how = onTerm.signal === null ? onTerm : { code: null, signal };
    const run = (): void => {
      one.killer = by;
      this.end(one, how);
    };
    one.plan([...one.plannedUntil(atMs), { atMs, run }]);
  }

  /** Whether a process of the job lives that nobody has done all he could to end. */
  isLeft(job: string): boolean {
    return this.of(job).some(({ isDoomed }) => !isDoomed);
  }

  /** Those of a tree as `/proc` would show them. */
  membersOf(name: TreeName): ProcessStat[] {
    return this.ofTree(name).map(({ pid, isStopped, isStuck }) => {
      const state = isStuck ? "D" : isStopped ? "T" : "S";
      return { pid, state, parent: 1, group: pid, session: pid, startTime: pid };
    });
  }

  /** A pid namespace ends with its first process, a boot with all. */
  endAll(which: (one: VirtualProcess) => boolean): void {
    const condemned = this.all.filter(which);
    for (const one of condemned) {
      one.killer = "outside";
      this.end(one, { code: null, signal: "SIGKILL" });
    }
    // Main processes leave others behind when they end.
    if (condemned.length > 0) this.endAll(which);
  }
}
