import {
  SpawnFailed,
  type DeadAttempt,
  type Launch,
  type Processes,
  type Remains,
  type RunningTree,
  type Slot,
  type StopOrder,
  type Takings,
} from "../../src/process/port.ts";
import { standStill, terminate, type Target } from "../../src/process/terminate.ts";
import type { Exit } from "../../src/runtime/port.ts";
import type { Disk } from "./database.ts";
import { Crashed, whileItLives, type Life } from "./life.ts";
import type { ProcessTable, VirtualProcess } from "./process-table.ts";
import { behaviourOf, type Behaviour } from "./programs.ts";

/** What is looked at when processes are started and ended. */
export interface ProcessWatch {
  spawning(life: Life, launch: Launch): void;
  spawned(life: Life, launch: Launch): void;
  /** A main process of a worker that lives has ended. */
  mainEnded(life: Life, launch: Launch, ranMs: number, unkillableMs: number): void;
  treeGone(life: Life, launch: Launch): void;
  recovering(life: Life, attempt: DeadAttempt): void;
}

/** The machine, as far as processes matter. */
export interface Machine {
  readonly table: ProcessTable;
  readonly disk: Disk;
  readonly watch: ProcessWatch;
  /** Which attempt a slot's files are of, by its directory: they outlive the worker. */
  readonly slots: Map<string, { readonly job: string; readonly attempt: number; readonly pid: number | null }>;
  /** Spawns that the system refuses for want of something. */
  scarcity: number;
  /** For a check of the checker: recovery says that all is gone. */
  readonly recoveryLies: boolean;
}

/** From the death of a process until its parent hears of it. */
const SLOWEST_NEWS_MS = 3;
const RECOVERY_FAILS = 0.02;

const outputOf = (launch: { job: string; attempt: number }): Takings => ({
  outputs: [
    {
      stream: "log",
      content: { kind: "inline", bytes: new TextEncoder().encode(`${launch.job}.${launch.attempt}`) },
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
  readonly #pidNamespace: string;

  constructor(life: Life, machine: Machine, pidNamespace: string) {
    this.#life = life;
    this.#machine = machine;
    this.#pidNamespace = pidNamespace;
  }

  openSlot(directory: string): Slot {
    this.#life.reach("before a slot is made");
    return {
      directory,
      start: (launch) => this.#start(directory, launch),
      places: () => ({}),
      collect: (launch) => this.#collect(launch),
      close: () => {},
    };
  }

  outlivingSlot(directory: string): Slot {
    return this.openSlot(directory);
  }

  #start(directory: string, launch: Launch): RunningTree {
    const life = this.#life;
    life.reach("before a spawn");
    this.#machine.watch.spawning(life, launch);
    this.#mayNotWork();
    const behaviour = this.#behaviour(launch);
    this.#machine.slots.set(directory, { ...launch, pid: null });
    if (behaviour.refusal !== null) throw new SpawnFailed(behaviour.refusal, `not started: ${behaviour.refusal}`);
    const tree = new SimulatedTree(launch, behaviour, life, this.#machine, this.#pidNamespace);
    this.#machine.slots.set(directory, { ...launch, pid: tree.pid });
    this.#machine.watch.spawned(life, launch);
    life.say(`starts process ${tree.pid} for ${launch.job.slice(0, 6)}, attempt ${launch.attempt}`);
    life.reach("after a spawn");
    return tree;
  }

  #behaviour(launch: Launch): Behaviour {
    const { random } = this.#life.world;
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
    const left = await this.#endTree(attempt);
    life.reach("after a tree is recovered");
    if (left !== null) return { kind: "unknown", what: left };
    const slot = this.#machine.slots.get(attempt.directory);
    const started = slot?.job === attempt.job && slot.attempt === attempt.attempt;
    return { kind: "gone", pid: started ? slot.pid : null, takings: started ? outputOf(attempt) : NOTHING };
  }

  async #endTree({ job, pidNamespace, workerWasInit, limits }: DeadAttempt): Promise<string | null> {
    const { table, recoveryLies } = this.#machine;
    if (recoveryLies) return null;
    if (pidNamespace !== this.#pidNamespace) {
      if (table.of(job).length > 0) return "in another pid namespace a process still has its output open";
      return workerWasInit ? null : "it ran in another pid namespace, which cannot be looked into";
    }
    const order = { signal: limits.stopSignal, graceMs: limits.graceMs };
    const left = await terminate(targetOf(job, this.#life, table), order, this.#life.clock);
    return left.length === 0 ? null : "these processes could not be ended";
  }

  sweep(): Promise<void> {
    this.#life.reach("before a sweep");
    return Promise.resolve();
  }
}

const NOTHING: Takings = { outputs: [], results: [], progress: null, error: null, warnings: [] };

/** The tree of a job for the real way of ending one. */
function targetOf(job: string, life: Life, table: ProcessTable): Target {
  return {
    members: () => table.membersOf(job),
    signal(members, signal) {
      life.reach("before a signal");
      table.signal(
        members.map(({ pid }) => pid),
        signal,
      );
      life.reach("after a signal");
    },
  };
}

class SimulatedTree implements RunningTree {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #launch: Launch;
  readonly #life: Life;
  readonly #machine: Machine;
  readonly #target: Target;
  #stopping: ReturnType<typeof terminate> | null = null;

  constructor(launch: Launch, behaviour: Behaviour, life: Life, machine: Machine, pidNamespace: string) {
    const exit = Promise.withResolvers<Exit>();
    const startedAt = life.world.now;
    const whose = { job: launch.job, attempt: launch.attempt, pidNamespace };
    const main: VirtualProcess = machine.table.start(whose, behaviour, (how) => {
      if (life.isDead) return;
      machine.watch.mainEnded(life, launch, life.world.now - startedAt, behaviour.unkillableMs);
      const news = life.world.random.between(0, SLOWEST_NEWS_MS);
      life.world.after(news, life, () => exit.resolve({ ...how, usage: null, failure: null }));
    });
    if (behaviour.fatalAfterMs !== null) {
      life.world.after(behaviour.fatalAfterMs, null, () => life.die(`brought down by process ${main.pid}`));
    }
    this.pid = main.pid;
    this.exited = exit.promise;
    this.#launch = launch;
    this.#life = life;
    this.#machine = machine;
    this.#target = targetOf(launch.job, life, machine.table);
  }

  stop(order: StopOrder): void {
    this.#life.mustLive();
    this.#stopping ??= whileItLives(terminate(this.#target, order, this.#life.clock));
  }

  remember(): void {
    this.#life.reach("before a process is remembered");
  }

  /** It is also called where nobody catches what is thrown, and the dead must not be heard. */
  kill(): void {
    try {
      this.stop({ signal: "KILL", graceMs: 0 });
      this.#target.signal(this.#target.members(), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
    }
  }

  hasEnded(): boolean {
    return !this.#machine.table.all.some(({ pid }) => pid === this.pid);
  }

  leave(): void {
    this.#life.reach("before a tree is left");
  }

  suspend(): Promise<void> {
    return whileItLives(standStill(this.#target, this.#life.clock));
  }

  resume(): void {
    this.#target.signal(this.#target.members(), "SIGCONT");
  }

  letGo(): void {}

  async gone(order: StopOrder): Promise<string | null> {
    if (this.#stopping !== null || this.#target.members().length > 0) this.stop(order);
    const left = (await this.#stopping) ?? [];
    this.#life.mustLive();
    this.#machine.watch.treeGone(this.#life, this.#launch);
    return left.length === 0 ? null : `processes of the job could not be ended: ${left.length}`;
  }
}
