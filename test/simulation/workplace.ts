import { DEFAULT_LIMITS, type Definition } from "../../src/config/definition.ts";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import type { Goal, Host } from "../../src/worker/ports.ts";
import { Worker } from "../../src/worker/worker.ts";
import { Checks } from "./checks.ts";
import { Ledger } from "./ledger.ts";
import { Life } from "./life.ts";
import { Bells, LockTable } from "./machine.ts";
import { rewriting, type Mutation } from "./mutations.ts";
import { Observer } from "./observer.ts";
import { ProcessTable } from "./process-table.ts";
import { SimulatedProcesses, type Machine } from "./processes.ts";
import { RELEASE_CODE, REJECT_CODE } from "./programs.ts";
import { StorePlace } from "./store-place.ts";
import type { WorkerLife } from "./watched.ts";
import { Witness } from "./witness.ts";
import type { World } from "./world.ts";

export const UNKNOWN_AFTER_MS = 120_000;
/** Why a worker is asked to finish. */
export const FINISH = "SIGUSR1";
const STOP_BUDGETS_MS = [3000, 7000, 25_000, 25_000];
/** A stop that is asked for again is to be over within so many milliseconds. */
const NOW_MS = 3000;

/** A store on a real file, and the virtual machine that workers and users share. */
export class Workplace {
  readonly world: World;
  readonly ledger = new Ledger();
  readonly observer: Observer;
  readonly machine: Machine;
  readonly bells: Bells;
  readonly locks: LockTable;
  readonly workers: WorkerLife[] = [];
  readonly checks: Checks;
  readonly #byName = new Map<string, WorkerLife>();
  readonly #stores: StorePlace;
  #boot = 1;
  #lastPid = 1;

  constructor(world: World, mutation: Mutation | null) {
    this.world = world;
    this.bells = new Bells(world);
    const disk = { isFull: false, busy: 0 };
    this.#stores = new StorePlace({
      bells: this.bells,
      disk,
      committed: (life) => this.checks.committed(life),
      rewrite: rewriting(mutation),
    });
    this.observer = new Observer(this.#stores.location.database);
    this.locks = new LockTable((life) =>
      mutation === "a paused worker loses its lock" ? life.isRunning : !life.isDead,
    );
    const table = new ProcessTable(world, {
      ended: (one, how) => this.checks.ended(one, how),
      signalling: (one, signal, by) => this.checks.signalling(one, signal, by),
    });
    table.isDeaf = mutation === "exit handlers cannot be ended";
    this.checks = new Checks({
      world,
      ledger: this.ledger,
      observer: this.observer,
      table,
      witness: new Witness(),
      workers: this.#byName,
    });
    this.machine = {
      table,
      disk,
      watch: this.checks,
      slots: new Map(),
      scarcity: 0,
      mutation,
    };
  }

  openStore(life: Life, patience: "fail" | "wait"): Store {
    return this.#stores.open(life, patience);
  }

  startWorker(goal: Goal, isSafe: boolean): WorkerLife {
    const { random } = this.world;
    const name = `w${this.#byName.size + 1}`;
    const stopBudgetMs = random.pick(STOP_BUDGETS_MS);
    const endsOutliving = random.chance(0.2);
    const isDoomed = !isSafe && random.chance(0.6);
    const life = new Life(name, this.world, isDoomed ? random.between(0, 400) : Number.POSITIVE_INFINITY);
    const store = this.openStore(life, "wait");
    const host = this.#host();
    const worker = new Worker(
      {
        id: name,
        version: "1",
        host,
        concurrency: random.between(1, 4),
        recoveryIntervalMs: 5000,
        stopBudgetMs,
        connectTimeoutMs: 60_000,
        unknownAfterMs: UNKNOWN_AFTER_MS,
        definitions: DEFINITIONS,
        environment: {},
        foreground: false,
        endsOutliving,
        goal,
      },
      {
        clock: life.clock,
        random: random.next,
        store,
        queues: [new SqliteQueue(store, name, life.clock.now)],
        processes: new SimulatedProcesses(life, this.machine, host),
        locks: this.locks.of(life),
        emit: (event) => {
          this.checks.told(life, event);
          if (event.type === "worker stopping" && event.why !== FINISH) started.stopAskedAt ??= this.world.now;
        },
      },
    );
    const started: WorkerLife = {
      life,
      worker,
      host,
      stopBudgetMs,
      endsOutliving,
      isDone: false,
      stopAskedAt: null,
      nowAskedAt: null,
    };
    this.workers.push(started);
    this.#byName.set(name, started);
    life.say("begins");
    if (host.pid === 1) life.atDeath(() => this.machine.table.endAll((one) => one.pidNamespace === host.pidNamespace));
    worker.work().then(
      () => this.#workerEnded(started),
      (error: unknown) => this.#workerFailed(started, error),
    );
    return started;
  }

  /** Some run in containers: one as its first process, one beside others. */
  #host(): Host {
    const { random } = this.world;
    this.#lastPid += 1;
    const bootId = `boot ${this.#boot}`;
    if (!random.chance(0.15)) return { name: "host", pid: this.#lastPid, bootId, pidNamespace: `main ${bootId}` };
    const isInit = random.chance(0.5);
    const pidNamespace = isInit ? `own ${this.#lastPid}` : `shared ${bootId}`;
    return { name: "container", pid: isInit ? 1 : this.#lastPid, bootId, pidNamespace };
  }

  /** The power fails: nothing but the file is left. */
  reboot(): void {
    this.world.say("", "the machine is started again");
    this.#boot += 1;
    for (const { life } of this.workers) life.die("power");
    this.machine.table.endAll(() => true);
  }

  #workerEnded(ended: WorkerLife): void {
    const { life, stopAskedAt, nowAskedAt, stopBudgetMs } = ended;
    if (life.isDead) return;
    ended.isDone = true;
    this.checks.workerEnded(life);
    this.#checkTook(life, stopAskedAt, stopBudgetMs + 1000, "a stop keeps to its budget");
    // What waits in the kernel is waited for.
    const { stuckUntil } = this.machine.table;
    if (stuckUntil < (nowAskedAt ?? 0))
      this.#checkTook(life, nowAskedAt, NOW_MS, "a stop that is asked for again is at once");
    life.die("its work is done");
  }

  #checkTook(life: Life, since: number | null, most: number, invariant: string): void {
    const { world } = this;
    if (since === null || !life.wasUndisturbedSince(since) || world.storeFailedAt >= since) return;
    const took = world.now - since;
    world.check(took <= most, invariant, () => `${life.name}: ${took} ms of ${most}`);
  }

  #workerFailed({ life }: WorkerLife, error: unknown): void {
    if (life.isDead) return;
    this.world.check(life.diskIsBroken, "a worker does not end by itself", () => String(error));
    life.die(`it fails: ${String(error)}`);
  }

  close(): void {
    for (const { life } of this.workers) life.die("the history is over");
    this.observer.close();
    this.#stores.close();
  }
}

export const LIMITS = { ...DEFAULT_LIMITS, rejectCodes: [REJECT_CODE], releaseCodes: [RELEASE_CODE] };

const definitionOf = (name: string): Definition => ({
  name,
  command: [name],
  parameters: new Map(),
  limits: { ...LIMITS, maxAttempts: 2, backoffCapMs: 10_000, exitHandlerMs: 5000 },
  environment: {},
  passEnvironment: [],
  cwd: "/",
});

export const DEFINITIONS: ReadonlyMap<string, Definition> = new Map([
  ...["steady", "flaky", "missing"].map((name) => [name, definitionOf(name)] as const),
  ["careful", { ...definitionOf("careful"), exitHandler: ["tidies sometimes"] }],
]);
