import type { Launch, RunningTree, StopOrder, TreeExit, TreeName } from "../../src/process/port.ts";
import { standStill, terminate, type Target } from "../../src/process/terminate.ts";
import { Crashed, whileItLives, type Life } from "./life.ts";
import type { ProcessTable, VirtualProcess } from "./process-table.ts";
import type { Kept, Machine } from "./processes.ts";
import type { Behaviour } from "./programs.ts";

/** From the death of a process until its parent hears of it; on a busy machine it is longer. */
const SLOWEST_NEWS_MS = 3;
const LATE_NEWS_MS = 150;
/** A change in a directory is told within so many milliseconds, or not at all. */
const SLOWEST_WATCH_MS = 20;
const LOOK_EVERY_MS = 1000;

/** A tree for the real way of ending one, and of having it stand still. */
export function targetOf(name: TreeName, life: Life, table: ProcessTable): Target {
  return {
    members: () => table.membersOf(name),
    isKeeper: ({ pid }) => table.isKeeper(pid),
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

/** Who keeps an end takes no time for it as long as it runs. */
function hasKeptEnd({ pid, main, exit }: Kept, { table }: Machine): boolean {
  const keeper = table.all.find((one) => one.pid === pid);
  return exit !== null || (main !== null && !table.isAlive(main) && keeper?.isStopped === false);
}

/** What a worker can do to a virtual tree, whoever started it. */
abstract class ControlledTree implements RunningTree {
  abstract readonly pid: number;
  abstract readonly exited: Promise<TreeExit>;
  protected readonly name: TreeName;
  protected readonly life: Life;
  protected readonly machine: Machine;
  /** Its end has been told. */
  protected isOver = false;
  readonly #target: Target;
  #stopping: ReturnType<typeof terminate> | null = null;
  #isHurried = false;

  constructor(name: TreeName, life: Life, machine: Machine) {
    this.name = name;
    this.life = life;
    this.machine = machine;
    this.#target = targetOf(name, life, machine.table);
  }

  get isStopping(): boolean {
    return this.#stopping !== null;
  }

  /** Called when all has been done to end it. */
  protected ended(): void {}

  stop(order: StopOrder): void {
    this.life.mustLive();
    if (this.#stopping !== null) return;
    this.#stopping = whileItLives(terminate(this.#target, order, this.life.clock, () => this.#isHurried));
    void this.#stopping.then(() => this.ended());
  }

  remember(): void {
    this.life.reach("before a process is remembered");
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

  abstract hasEnded(): boolean;

  leave(): void {
    this.life.reach("before a tree is left");
  }

  letGo(): void {
    this.isOver = true;
    this.machine.watch.letGo(this.life, this.name);
  }

  async suspend(): Promise<void> {
    const lies = this.machine.mutation === "a tree that moves is told to stand still";
    if (lies || this.#stopping !== null || this.isOver) return;
    await whileItLives(standStill(this.#target, this.life.clock, () => this.#stopping !== null));
  }

  forward(signal: NodeJS.Signals): void {
    this.#target.signal(this.#target.members(), signal);
  }

  resume(): void {
    if (this.machine.mutation === "a tree does not go on") return;
    this.#target.signal(this.#target.members(), "SIGCONT");
  }

  async gone(order: StopOrder): Promise<string | null> {
    if (this.#stopping !== null || this.#target.members().length > 0) this.stop(order);
    const left = (await this.#stopping) ?? [];
    this.life.mustLive();
    this.machine.watch.treeGone(this.life, this.name);
    return left.length === 0 ? null : `processes of the job could not be ended: ${left.length}`;
  }
}

/** A virtual tree as the worker has it that started it. */
export class SimulatedTree extends ControlledTree {
  /** The job itself. */
  readonly main: VirtualProcess;
  /** The child of this worker: the job, or who keeps its end. */
  readonly #child: VirtualProcess;
  readonly #kept: Kept | null;
  readonly exited: Promise<TreeExit>;

  /** @param kept - where its end is kept; null: nobody does. */
  constructor(launch: Launch, behaviour: Behaviour, life: Life, machine: Machine, host: string, kept: Kept | null) {
    super(launch, life, machine);
    const exit = Promise.withResolvers<TreeExit>();
    const { world } = life;
    const whose = { tree: launch, pidNamespace: host };
    const told = (how: { code: number | null; signal: string | null }): void => {
      if (life.isDead) return;
      const { random } = world;
      world.after(random.between(0, random.chance(0.1) ? LATE_NEWS_MS : SLOWEST_NEWS_MS), life, () => {
        if (this.isOver) return;
        this.isOver = true;
        const { code, signal } = kept?.exit ?? how;
        exit.resolve({ code, signal, usage: null, failure: null });
      });
    };
    const { main, keeper } = machine.table.start(whose, behaviour, told, kept);
    if (behaviour.fatalAfterMs !== null) {
      world.after(behaviour.fatalAfterMs, null, () => life.die(`brought down by process ${main.pid}`));
    }
    this.main = main;
    this.#child = keeper ?? main;
    this.#kept = kept;
    if (kept) kept.main = main;
    this.exited = exit.promise;
  }

  get pid(): number {
    return this.#child.pid;
  }

  hasEnded(): boolean {
    if (this.machine.mutation === "what has ended counts as running") return this.isOver;
    return !this.machine.table.isAlive(this.#child) || (this.#kept !== null && hasKeptEnd(this.#kept, this.machine));
  }
}

/** A tree that outlived its worker, as the worker has it that adopts it: its end is read where it is kept. */
export class AdoptedTree extends ControlledTree {
  readonly exited: Promise<TreeExit>;
  readonly pid: number;
  readonly #kept: Kept;
  readonly #exit = Promise.withResolvers<TreeExit>();
  #cancel = (): void => {};

  constructor(name: TreeName, life: Life, machine: Machine, kept: Kept) {
    super(name, life, machine);
    this.exited = this.#exit.promise;
    this.pid = kept.pid ?? 0;
    this.#kept = kept;
    this.#look();
    if (this.isOver) return;
    const { world } = life;
    kept.watch = () => world.after(world.random.between(0, SLOWEST_WATCH_MS), life, () => this.#look());
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#look();
    if (!this.isOver) this.#cancel = this.life.clock.after(LOOK_EVERY_MS, () => this.#lookAgain());
  }

  #look(): void {
    if (this.isOver || (this.#kept.exit === null && this.#keeperLives())) return;
    this.isOver = true;
    this.#cancel();
    const unknown = { usage: null, failure: null };
    const { exit } = this.#kept;
    this.#exit.resolve({ ...unknown, ...(exit ?? { code: null, signal: this.isStopping ? "SIGKILL" : null }) });
  }

  #keeperLives(): boolean {
    return this.machine.table.isKeeper(this.pid);
  }

  protected override ended(): void {
    this.#look();
  }

  override letGo(): void {
    super.letGo();
    this.#cancel();
  }

  hasEnded(): boolean {
    return this.isOver || !this.#keeperLives() || hasKeptEnd(this.#kept, this.machine);
  }
}
