import { closeSync, openSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { Containment } from "../config/definition.ts";
import type { Runtime } from "../runtime/port.ts";
import { chooseConfining } from "./containment.ts";
import { converse, type Conversation, type Partner } from "./conversation.ts";
import { Inheritance } from "./inheritance.ts";
import { Isolation } from "./isolation.ts";
import { Orphans } from "./orphans.ts";
import { MemoryWatch } from "./out-of-memory.ts";
import { OutlivingSlot } from "./outliving-slot.ts";
import type {
  DeadAttempt,
  Launch,
  Processes,
  Remains,
  RunningTree,
  Slot,
  StopOrder,
  TreeName,
  WarmSlot,
} from "./port.ts";
import { recoverAttempt } from "./recovery.ts";
import { ignoredSignals } from "./stop-signals.ts";
import { FileSlot, type OwnStreams, type Supervision } from "./supervisor.ts";
import { FileWarmSlot } from "./warm-slot.ts";
import { terminate } from "./terminate.ts";
import { signalAll } from "./tree.ts";

const SIGCHLD = 17;
const NO_STREAMS: OwnStreams = { stdin: false, output: false };

/** All processes of this worker: starts them, counts them, signals, waits for and ends them. */
export class ProcessManager implements Processes {
  readonly #supervision: Supervision;
  readonly #running = new Map<RunningTree, TreeName["role"]>();

  /**
   * `own`: which of this process's own streams its jobs are given. `mayAdopt`: this process has no children but its
   * jobs, and adopts what these orphan.
   *
   * @throws ReeveError (configuration) when control groups are asked for by name and cannot be had.
   */
  constructor(
    runtime: Runtime,
    clock: Clock,
    containment: Containment = "auto",
    own: OwnStreams = NO_STREAMS,
    mayAdopt = true,
  ) {
    const libc = runtime.libc();
    // Inherited as ignored, it would take the exit statuses of all children away.
    if (ignoredSignals()(SIGCHLD)) libc.defaultSignal(SIGCHLD);
    this.#supervision = {
      runtime,
      clock,
      orphans: new Orphans(libc, mayAdopt),
      ...chooseConfining(containment, runtime),
      isolation: new Isolation(),
      memory: new MemoryWatch(),
      devNull: openSync("/dev/null", "r"),
      own,
      inheritance: new Inheritance(libc),
    };
  }

  /** How many jobs' main processes run. */
  get count(): number {
    return this.#running.size;
  }

  openSlot(directory: string): Slot {
    return this.#tracking(new FileSlot(directory, this.#supervision));
  }

  warmSlot(directory: string): WarmSlot | null {
    if (!this.#supervision.runtime.tellsImports) return null;
    const slot = new FileWarmSlot(directory, this.#supervision);
    return { ...this.#tracking(slot), prepare: (launch) => slot.prepare(launch) };
  }

  outlivingSlot(directory: string): Slot {
    return this.#tracking(new OutlivingSlot(directory, this.#supervision));
  }

  /** A program to be talked to, which is no job. */
  converse(partner: Partner): Conversation {
    return converse(partner, this.#supervision.orphans, this.#supervision.clock);
  }

  #tracking(slot: Slot): Slot {
    return {
      directory: slot.directory,
      start: (launch: Launch) => this.#track(slot.start(launch), launch.role),
      places: (launch: Launch) => slot.places(launch),
      listen: (hear, heard) => slot.listen(hear, heard),
      catchUp: () => slot.catchUp(),
      collect: (launch: Launch) => slot.collect(launch),
      close: () => slot.close(),
    };
  }

  #track(tree: RunningTree, role: TreeName["role"]): RunningTree {
    this.#running.set(tree, role);
    void tree.exited.then(() => this.#running.delete(tree));
    return tree;
  }

  /** To the group of each job's main process; who cleans up after one is left alone. */
  signalAll(signal: NodeJS.Signals = "SIGQUIT"): void {
    for (const [tree, role] of this.#running) if (role === "job") tree.forward(signal);
  }

  async waitForAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((tree) => tree.exited));
  }

  /** Ends every tree and waits until all are gone. */
  async tearDown(order: StopOrder): Promise<void> {
    const trees = [...this.#running.keys()];
    for (const tree of trees) tree.stop(order);
    await Promise.all(trees.map(async (tree) => tree.exited.then(() => tree.gone(order))));
  }

  /** Gives back what it has open, when none of its processes is left. It can start no more. */
  close(): void {
    closeSync(this.#supervision.devNull);
    this.#supervision.inheritance.close();
    this.#supervision.orphans.close();
  }

  async recover(attempt: DeadAttempt): Promise<Remains> {
    const remains = await recoverAttempt(attempt, this.#supervision);
    if (remains.kind === "outlived") this.#track(remains.tree, "job");
    return remains;
  }

  async sweep(): Promise<void> {
    this.#supervision.groups?.home.sweep();
    this.#supervision.limitGroups.sweep();
    // What it has seen is not held against a job that is killed later.
    this.#supervision.memory.hasKilled();
    const members = () => {
      // Looked for while jobs run, too: those that have ended are reaped by it.
      const strays = this.#supervision.orphans.strays();
      return this.#running.size > 0 ? [] : strays;
    };
    await terminate({ members, signal: signalAll }, { signal: "TERM", graceMs: 2000 }, this.#supervision.clock);
  }
}
