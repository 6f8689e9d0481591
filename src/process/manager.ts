import { openSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { Containment } from "../config/definition.ts";
import type { Runtime } from "../runtime/port.ts";
import { Census } from "./census.ts";
import { chooseGroups } from "./containment.ts";
import { Inheritance } from "./inheritance.ts";
import { Orphans } from "./orphans.ts";
import { OutlivingSlot } from "./outliving-slot.ts";
import type { DeadAttempt, Launch, Processes, Remains, RunningTree, Slot, StopOrder } from "./port.ts";
import { recoverAttempt } from "./recovery.ts";
import { FileSlot, type Supervision } from "./supervisor.ts";
import { terminate } from "./terminate.ts";
import { sendSignal, signalAll } from "./tree.ts";

const SIGCHLD = 17;

/** All processes of this worker: starts them, counts them, signals, waits for and ends them. */
export class ProcessManager implements Processes {
  readonly #supervision: Supervision;
  readonly #running = new Set<RunningTree>();

  /** @throws ReeveError (configuration) when control groups are asked for by name and cannot be had. */
  constructor(runtime: Runtime, clock: Clock, containment: Containment = "auto") {
    const libc = runtime.libc();
    // Inherited as ignored, it would take the exit statuses of all children away.
    if (process.platform === "linux") libc.defaultSignal(SIGCHLD);
    this.#supervision = {
      runtime,
      clock,
      orphans: new Orphans(libc),
      census: new Census(clock),
      groups: chooseGroups(containment, runtime),
      devNull: openSync("/dev/null", "r"),
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

  outlivingSlot(directory: string): Slot {
    return this.#tracking(new OutlivingSlot(directory, this.#supervision));
  }

  #tracking(slot: Slot): Slot {
    return {
      directory: slot.directory,
      start: (launch: Launch) => this.#track(slot.start(launch)),
      places: (launch: Launch) => slot.places(launch),
      collect: (launch: Launch) => slot.collect(launch),
      close: () => slot.close(),
    };
  }

  #track(tree: RunningTree): RunningTree {
    this.#running.add(tree);
    void tree.exited.then(() => this.#running.delete(tree));
    return tree;
  }

  /** To each main process's group. */
  signalAll(signal: NodeJS.Signals = "SIGQUIT"): void {
    for (const { pid } of this.#running) sendSignal(-pid, signal);
  }

  async waitForAll(): Promise<void> {
    await Promise.all([...this.#running].map((tree) => tree.exited));
  }

  /** Ends every tree and waits until all are gone. */
  async tearDown(order: StopOrder): Promise<void> {
    const trees = [...this.#running];
    for (const tree of trees) tree.stop(order);
    await Promise.all(trees.map(async (tree) => tree.exited.then(() => tree.gone(order))));
  }

  async recover(attempt: DeadAttempt): Promise<Remains> {
    const remains = await recoverAttempt(attempt, this.#supervision);
    if (remains.kind === "outlived") this.#track(remains.tree);
    return remains;
  }

  async sweep(): Promise<void> {
    this.#supervision.groups?.home.sweep();
    const members = () => (this.#running.size > 0 ? [] : this.#supervision.orphans.strays());
    await terminate({ members, signal: signalAll }, { signal: "TERM", graceMs: 2000 }, this.#supervision.clock);
  }
}
