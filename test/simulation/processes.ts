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
import type { ProcessTable, VirtualProcess } from "./process-table.ts";
import { behaviourOf, type Behaviour } from "./programs.ts";
import { SimulatedTree, targetOf } from "./simulated-tree.ts";

/** What is looked at when processes are started and ended. */
export interface ProcessWatch {
  spawning(life: Life, launch: Launch): void;
  spawned(life: Life, launch: Launch, main: VirtualProcess): void;
  treeGone(life: Life, launch: Launch): void;
  recovering(life: Life, attempt: DeadAttempt): void;
}

/** The machine, as far as processes matter. */
export interface Machine {
  readonly table: ProcessTable;
  readonly disk: Disk;
  readonly watch: ProcessWatch;
  /** Which tree a slot's files are of, by its directory: they outlive the worker. */
  readonly slots: Map<string, TreeName & { readonly pid: number | null }>;
  /** Spawns that the system refuses for want of something. */
  scarcity: number;
  /** For a check of the checker: recovery says that all is gone. */
  readonly recoveryLies: boolean;
  /** For another: a tree is told to stand still that does not. */
  readonly suspensionLies: boolean;
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
    const tree = new SimulatedTree(launch, behaviour, life, this.#machine, this.#host.pidNamespace);
    this.#machine.slots.set(directory, { ...launch, pid: tree.pid });
    life.say(`starts process ${tree.pid} for ${describe(launch)}`);
    this.#machine.watch.spawned(life, launch, tree.main);
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
    const started = slot?.job === attempt.job && slot.attempt === attempt.attempt && slot.role === attempt.role;
    return { kind: "gone", pid: started ? slot.pid : null, takings: started ? outputOf(attempt) : NOTHING };
  }

  async #endTree(attempt: DeadAttempt): Promise<string | null> {
    const { bootId, pidNamespace, workerWasInit, limits } = attempt;
    const { table, recoveryLies } = this.#machine;
    if (recoveryLies || bootId !== this.#host.bootId) return null;
    if (pidNamespace !== this.#host.pidNamespace) {
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

const describe = ({ job, attempt, role }: TreeName): string =>
  `${role === "job" ? "" : "the exit handler of "}${job.slice(0, 6)}, attempt ${attempt}`;

const NOTHING: Takings = { outputs: [], results: [], progress: null, error: null, warnings: [] };
