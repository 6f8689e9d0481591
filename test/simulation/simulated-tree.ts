import type { Launch, RunningTree, StopOrder, TreeExit, TreeName } from "../../src/process/port.ts";
import { standStill, terminate, type Target } from "../../src/process/terminate.ts";
import { Crashed, whileItLives, type Life } from "./life.ts";
import type { ProcessTable, VirtualProcess } from "./process-table.ts";
import type { Machine } from "./processes.ts";
import type { Behaviour } from "./programs.ts";

/** From the death of a process until its parent hears of it. */
const SLOWEST_NEWS_MS = 3;

/** A tree for the real way of ending one, and of having it stand still. */
export function targetOf(name: TreeName, life: Life, table: ProcessTable): Target {
  return {
    members: () => table.membersOf(name),
    signal(members, signal) {
      life.reach("before a signal");
      table.signal(
        members.map(({ pid }) => pid),
        signal,
        life,
      );
      life.reach("after a signal");
    },
  };
}

/** A virtual tree as the worker has it that started it. */
export class SimulatedTree implements RunningTree {
  readonly main: VirtualProcess;
  readonly exited: Promise<TreeExit>;
  readonly #launch: Launch;
  readonly #life: Life;
  readonly #machine: Machine;
  readonly #target: Target;
  #stopping: ReturnType<typeof terminate> | null = null;
  /** Its end has been told. */
  #isOver = false;
  #isHurried = false;

  constructor(launch: Launch, behaviour: Behaviour, life: Life, machine: Machine, pidNamespace: string) {
    const exit = Promise.withResolvers<TreeExit>();
    const { world } = life;
    this.main = machine.table.start({ tree: launch, pidNamespace }, behaviour, (how) => {
      if (life.isDead) return;
      world.after(world.random.between(0, SLOWEST_NEWS_MS), life, () => {
        this.#isOver = true;
        exit.resolve({ ...how, usage: null, failure: null });
      });
    });
    if (behaviour.fatalAfterMs !== null) {
      world.after(behaviour.fatalAfterMs, null, () => life.die(`brought down by process ${this.main.pid}`));
    }
    this.exited = exit.promise;
    this.#launch = launch;
    this.#life = life;
    this.#machine = machine;
    this.#target = targetOf(launch, life, machine.table);
  }

  get pid(): number {
    return this.main.pid;
  }

  stop(order: StopOrder): void {
    this.#life.mustLive();
    this.#stopping ??= whileItLives(terminate(this.#target, order, this.#life.clock, () => this.#isHurried));
  }

  remember(): void {
    this.#life.reach("before a process is remembered");
  }

  /** It is also called where nobody catches what is thrown, and the dead must not be heard. */
  kill(): void {
    try {
      this.#isHurried = true;
      this.stop({ signal: "KILL", graceMs: 0 });
      this.#target.signal(this.#target.members(), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
    }
  }

  hasEnded(): boolean {
    return !this.#machine.table.isAlive(this.main);
  }

  leave(): void {
    this.#life.reach("before a tree is left");
  }

  async suspend(): Promise<void> {
    const { suspensionLies } = this.#machine;
    if (suspensionLies || this.#stopping !== null || this.#isOver) return;
    await whileItLives(standStill(this.#target, this.#life.clock, () => this.#stopping !== null));
  }

  forward(signal: NodeJS.Signals): void {
    this.#target.signal(this.#target.members(), signal);
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
