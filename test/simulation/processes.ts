import { existsSync, mkdirSync, rmSync } from "node:fs";
import {
  SpawnFailed,
  type DeadAttempt,
  type Launch,
  type Processes,
  type Remains,
  type RunningTree,
  type Slot,
  type Takings,
  type TreeName,
} from "../../src/process/port.ts";
import { terminate } from "../../src/process/terminate.ts";
import type { Host } from "../../src/worker/ports.ts";
import type { Disk } from "./database.ts";
import { whileItLives, type Life } from "./life.ts";
import type { Mutation } from "./mutations.ts";
import type { Keeping, ProcessTable, VirtualProcess } from "./process-table.ts";
import { behaviourOf, PLAIN, type Behaviour, type How } from "./programs.ts";
import { AdoptedTree, SimulatedTree, targetOf } from "./simulated-tree.ts";

/** What is looked at when processes are started and ended. */
export interface ProcessWatch {
  spawning(life: Life, launch: Launch): void;
  spawned(life: Life, launch: Launch, main: VirtualProcess, kept: Kept | null): void;
  treeGone(life: Life, tree: TreeName): void;
  /** It may go on when its worker ends. */
  letGo(life: Life, tree: TreeName): void;
  /** It outlived its worker, and another one has it now. */
  outlived(life: Life, attempt: DeadAttempt): void;
  recovering(life: Life, attempt: DeadAttempt): void;
}

/** What is kept of a job that may outlive its worker, in a directory of its own. */
export class Kept implements Keeping {
  pid: number | null = null;
  /** It was made to stand still before it could say who it is. */
  isLate = false;
  /** The job itself. */
  main: VirtualProcess | null = null;
  exit: (How & { readonly endedAt: number }) | null = null;
  /** Who was to keep it died before it could. */
  isLost = false;
  /** Who has the directory watched. */
  watch: () => void = () => {};
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  begun(pid: number, isLate: boolean): void {
    this.isLate ||= isLate;
    this.pid = pid;
  }

  ended(how: How): void {
    // A shell does not tell this one from an exit.
    const kept = how.signal === "SIGINT" ? { code: 130, signal: null } : how;
    this.exit = { ...kept, endedAt: this.#now() };
    this.watch();
  }

  lost(): void {
    this.isLost = this.exit === null;
  }
}

/** The machine, as far as processes matter. */
export interface Machine {
  readonly table: ProcessTable;
  readonly disk: Disk;
  readonly watch: ProcessWatch;
  /** Which tree a slot's files are of, by its directory: they outlive the worker. */
  readonly slots: Map<string, TreeName & { readonly pid: number | null; readonly kept: Kept | null }>;
  /** Spawns that the system refuses for want of something. */
  scarcity: number;
  /** For checks of the checker: what of it lies. */
  readonly mutation: Mutation | null;
  /** All that is started ends well, and soon. */
  isTame?: boolean;
}

const RECOVERY_FAILS = 0.02;

const outputOf = ({ job, attempt, role }: TreeName): Takings => ({
  outputs: [
    {
      stream: "log",
      content: { kind: "inline", bytes: new TextEncoder().encode(`${job}.${attempt} ${role}`) },
    },
  ],
  results: [],
  progress: null,
  error: null,
  warnings: [],
});

/** Virtual processes as one worker sees them. */
export class SimulatedProcesses implements Processes {
  readonly #life: Life;
  readonly #machine: Machine;
  readonly #host: Host;

  constructor(life: Life, machine: Machine, host: Host) {
    this.#life = life;
    this.#machine = machine;
    this.#host = host;
  }

  openSlot(directory: string): Slot {
    this.#life.reach("before a slot is made");
    return this.#slot(directory, false);
  }

  warmSlot(): null {
    return null;
  }

  outlivingSlot(directory: string): Slot {
    return this.#slot(directory, true);
  }

  #slot(directory: string, outlives: boolean): Slot {
    return {
      directory,
      start: (launch) => this.#start(directory, launch, outlives),
      places: () => ({}),
      listen: () => {},
      catchUp: () => false,
      collect: (launch) => this.#collect(launch),
      close: () => {
        if (!outlives) return;
        this.#life.reach("before a directory is removed");
        this.#machine.slots.delete(directory);
        rmSync(directory, { recursive: true, force: true });
      },
    };
  }

  #start(directory: string, launch: Launch, outlives: boolean): RunningTree {
    const life = this.#life;
    life.reach("before a spawn");
    this.#machine.watch.spawning(life, launch);
    this.#mayNotWork();
    const behaviour = this.#behaviour(launch);
    const kept = outlives ? new Kept(life.clock.now) : null;
    if (outlives) mkdirSync(directory, { recursive: true });
    this.#machine.slots.set(directory, { ...launch, pid: null, kept });
    if (behaviour.refusal !== null) throw new SpawnFailed(behaviour.refusal, `not started: ${behaviour.refusal}`);
    const tree = new SimulatedTree(launch, behaviour, life, this.#machine, this.#host.pidNamespace, kept);
    this.#machine.slots.set(directory, { ...launch, pid: tree.pid, kept });
    life.say(`starts process ${tree.pid} for ${describe(launch)}`);
    this.#machine.watch.spawned(life, launch, tree.main, kept);
    life.reach("after a spawn");
    return tree;
  }

  #behaviour(launch: Launch): Behaviour {
    const { random } = this.#life.world;
    if (this.#machine.isTame) return PLAIN;
    const behaviour = behaviourOf(launch.argv[0] ?? "", random);
    const refusal = random.chance(this.#machine.scarcity) ? "EAGAIN" : behaviour.refusal;
    return { ...behaviour, refusal };
  }

  /** Errors that nobody has a plan for. */
  #mayNotWork(): void {
    if (this.#life.diskIsBroken) throw Object.assign(new Error("input/output error"), { code: "EIO" });
  }

  #collect(launch: Launch): Takings {
    this.#life.reach("before the output is taken in");
    this.#mayNotWork();
    if (this.#machine.disk.isFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    return outputOf(launch);
  }

  recover(attempt: DeadAttempt): Promise<Remains> {
    return whileItLives(this.#recover(attempt));
  }

  async #recover(attempt: DeadAttempt): Promise<Remains> {
    const life = this.#life;
    life.reach("before a tree is recovered");
    this.#machine.watch.recovering(life, attempt);
    if (life.world.random.chance(RECOVERY_FAILS)) throw new Error("EIO: i/o error, open");
    const kept = this.#machine.mutation === "kept ends are not read" ? null : this.#kept(attempt);
    const mayGoOn = this.#machine.mutation !== "what outlives its worker is ended";
    if (kept && mayGoOn && this.#canSee(attempt) && (await this.#isWatched(attempt, kept)))
      return this.#outlived(attempt, kept);
    const left = await this.#endTree(attempt);
    life.reach("after a tree is recovered");
    if (left !== null) return { kind: "unknown", what: left };
    // What a machine sends to all that runs when it is shut down says nothing.
    const isKnown = kept?.exit && !/TERM|HUP|KILL/.test(kept.exit.signal ?? "");
    return isKnown ? this.#outlived(attempt, kept) : this.#gone(attempt);
  }

  /** Null: it was not started, or may not go on. */
  #kept(attempt: DeadAttempt): Kept | null {
    const slot = this.#machine.slots.get(attempt.directory);
    return attempt.mayGoOn && slot && isSame(slot, attempt) && existsSync(attempt.directory) ? slot.kept : null;
  }

  #canSee({ bootId, pidNamespace }: DeadAttempt): boolean {
    return bootId === this.#host.bootId && pidNamespace === this.#host.pidNamespace;
  }

  /** Whether somebody is left who tells how it ends, or it has been told. Who keeps it may just have been started. */
  async #isWatched(attempt: DeadAttempt, kept: Kept): Promise<boolean> {
    const { table } = this.#machine;
    const { clock } = this.#life;
    const end = clock.monotonic() + 5000;
    while (kept.pid === null) {
      if (table.ofTree(attempt).length === 0 || clock.monotonic() >= end) return false;
      await clock.sleep(5);
      this.#life.mustLive();
    }
    return kept.exit !== null || table.isKeeper(kept.pid);
  }

  #outlived(attempt: DeadAttempt, kept: Kept): Remains {
    this.#life.reach("before a tree is adopted");
    this.#machine.watch.outlived(this.#life, attempt);
    const { job, attempt: number, role } = attempt;
    const tree = new AdoptedTree({ job, attempt: number, role }, this.#life, this.#machine, kept);
    return { kind: "outlived", tree, slot: this.#slot(attempt.directory, true) };
  }

  #gone(attempt: DeadAttempt): Remains {
    const slot = this.#machine.slots.get(attempt.directory);
    const started = slot !== undefined && isSame(slot, attempt);
    return { kind: "gone", pid: started ? slot.pid : null, takings: started ? outputOf(attempt) : NOTHING };
  }

  async #endTree(attempt: DeadAttempt): Promise<string | null> {
    const { workerWasInit, limits } = attempt;
    const { table, mutation } = this.#machine;
    if (mutation === "recovery says gone while it runs" || attempt.bootId !== this.#host.bootId) return null;
    if (!this.#canSee(attempt)) {
      if (table.ofTree(attempt).length > 0) return "in another pid namespace a process still has its output open";
      return workerWasInit ? null : "it ran in another pid namespace, which cannot be looked into";
    }
    const order = { signal: limits.stopSignal, graceMs: limits.graceMs };
    const left = await terminate(targetOf(attempt, this.#life, table), order, this.#life.clock);
    return left.length === 0 ? null : "these processes could not be ended";
  }

  sweep(): Promise<void> {
    this.#life.reach("before a sweep");
    return Promise.resolve();
  }
}

const isSame = (one: TreeName, other: TreeName): boolean =>
  one.job === other.job && one.attempt === other.attempt && one.role === other.role;

const describe = ({ job, attempt, role }: TreeName): string =>
  `${role === "job" ? "" : "the exit handler of "}${job.slice(0, 6)}, attempt ${attempt}`;

const NOTHING: Takings = { outputs: [], results: [], progress: null, error: null, warnings: [] };
