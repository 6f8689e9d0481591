import type { SqsQueueDefinition } from "../../../src/config/queue-definition.ts";
import { DEFAULT_LIMITS, type Definition } from "../../../src/config/definition.ts";
import { Router } from "../../../src/config/routing.ts";
import type { WorkerEvent } from "../../../src/events.ts";
import { parseQueueUrl } from "../../../src/queue/sqs/address.ts";
import { Health } from "../../../src/queue/sqs/health.ts";
import { Payloads } from "../../../src/queue/sqs/payloads.ts";
import { Requests } from "../../../src/queue/sqs/requests.ts";
import { SqsQueue } from "../../../src/queue/sqs-queue.ts";
import type { Store } from "../../../src/store/store.ts";
import { STAY, type Host as Names } from "../../../src/worker/ports.ts";
import { Worker } from "../../../src/worker/worker.ts";
import * as sdk from "@aws-sdk/client-sqs";
import { Life } from "../life.ts";
import { Bells, LockTable } from "../machine.ts";
import { ProcessTable, type TableWatch } from "../process-table.ts";
import { SimulatedProcesses, type Machine, type ProcessWatch } from "../processes.ts";
import { EXIT_HANDLER_NAMES, PROGRAM_NAMES, REJECT_CODE, RELEASE_CODE } from "../programs.ts";
import { StorePlace } from "../store-place.ts";
import type { WorkerLife } from "../watched.ts";
import type { World } from "../world.ts";
import type { Network } from "./network.ts";
import { HostObserver } from "./observer.ts";
import { WatchedConnection, type ConnectionWatch } from "./watched-connection.ts";

const STOP_BUDGETS_MS = [3000, 7000, 25_000, 25_000];
const GRACES_MS = [0, 500, 3000, 5000];

const definitionOf = (name: string, index: number): Definition => ({
  name,
  command: [name],
  parameters: new Map(),
  limits: {
    ...DEFAULT_LIMITS,
    rejectCodes: [REJECT_CODE],
    releaseCodes: [RELEASE_CODE],
    releaseDelayMs: 2000,
    graceMs: GRACES_MS[index % GRACES_MS.length] ?? 0,
    timeoutMs: index % 3 === 0 ? 40_000 : null,
    maxAttempts: index % 5 === 0 ? 2 : null,
    backoffCapMs: 30_000,
    finishMs: index % 4 === 1 ? 3000 : 0,
    termExitZero: index % 7 === 0 ? "completed" : "release",
    exitHandlerMs: 5000,
  },
  environment: {},
  passEnvironment: [],
  cwd: "/",
  ...(index % 2 === 1 && { exitHandler: [EXIT_HANDLER_NAMES[index % EXIT_HANDLER_NAMES.length] ?? "tidies"] }),
});

/** One for each virtual program; a message names its own. */
export const DEFINITIONS: ReadonlyMap<string, Definition> = new Map(
  [...new Set(PROGRAM_NAMES)].map((name, index) => [name, definitionOf(name, index)]),
);

/** What is looked at on one host. */
export interface HostWatch extends ProcessWatch, TableWatch, ConnectionWatch {
  told(life: Life, event: WorkerEvent): void;
  workerEnded(ended: WorkerLife): void;
}

export interface HostOptions {
  readonly world: World;
  readonly name: string;
  readonly network: Network;
  readonly definition: SqsQueueDefinition;
  readonly watch: (host: Host) => HostWatch;
  readonly rewrite: (sql: string) => string;
}

/** One machine with a store and workers of its own. */
export class Host {
  readonly name: string;
  readonly workers: WorkerLife[] = [];
  readonly observer: HostObserver;
  readonly machine: Machine;
  readonly bells: Bells;
  readonly #options: HostOptions;
  readonly #watch: HostWatch;
  readonly #locks = new LockTable((life) => !life.isDead);
  readonly #stores: StorePlace;
  #boot = 1;

  constructor(options: HostOptions) {
    const { world, rewrite } = options;
    this.name = options.name;
    this.#options = options;
    this.bells = new Bells(world);
    const disk = { isFull: false, busy: 0 };
    this.#stores = new StorePlace({ bells: this.bells, disk, committed: () => {}, rewrite });
    this.observer = new HostObserver(this.#stores.location.database);
    const watch = (this.#watch = options.watch(this));
    const table = new ProcessTable(world, watch);
    this.machine = { table, disk, watch, slots: new Map(), scarcity: 0, mutation: null, isTame: false };
  }

  get living(): readonly WorkerLife[] {
    return this.workers.filter(({ life }) => !life.isDead);
  }

  openStore(life: Life, patience: "fail" | "wait"): Store {
    return this.#stores.open(life, patience);
  }

  startWorker(isSafe: boolean, goal = STAY): WorkerLife {
    const { world } = this.#options;
    const { random } = world;
    const name = `${this.name}${this.workers.length + 1}`;
    const points =
      !isSafe && random.chance(0.5) ? random.between(0, random.pick([500, 3000])) : Number.POSITIVE_INFINITY;
    const life = new Life(name, world, points);
    const store = this.openStore(life, "wait");
    const bootId = `boot ${this.#boot} of ${this.name}`;
    const host: Names = { name: this.name, pid: this.workers.length + 2, bootId, pidNamespace: bootId };
    const stopBudgetMs = random.pick(STOP_BUDGETS_MS);
    const worker = new Worker(
      {
        id: name,
        version: "1",
        host,
        concurrency: random.between(1, 4),
        recoveryIntervalMs: 10_000,
        stopBudgetMs,
        connectTimeoutMs: 60_000,
        unknownAfterMs: 120_000,
        definitions: DEFINITIONS,
        environment: {},
        foreground: false,
        endsOutliving: false,
        goal,
      },
      {
        clock: life.clock,
        random: random.next,
        store,
        queues: [this.#queue(life, name, store)],
        processes: new SimulatedProcesses(life, this.machine, host),
        locks: this.#locks.of(life),
        emit: (event) => this.#watch.told(life, event),
      },
    );
    const started = { life, worker, host, stopBudgetMs, endsOutliving: false };
    const state: WorkerLife = { ...started, isDone: false, stopAskedAt: null, nowAskedAt: null };
    this.workers.push(state);
    life.say("begins");
    worker.work().then(
      () => this.#workerEnded(state),
      (error: unknown) => this.#workerFailed(state, error),
    );
    return state;
  }

  #queue(life: Life, worker: string, store: Store): SqsQueue {
    const { network, definition, world } = this.#options;
    const { clock } = life;
    const random = world.random.next;
    const warn = (what: string): void => life.say(`warns: ${what}`);
    const requests = new Requests(sdk, network.clientOf(life), { health: new Health(clock.now), clock });
    const nowhere = { fetch: () => Promise.reject(new Error("there is no S3")), endpoint: null, environment: {}, warn };
    const payloads = new Payloads(requests, { ...nowhere, clock, random, maxBytes: 1 });
    const settings = { url: definition.url, environment: {}, clock, random, warn, runtime: NO_RUNTIME };
    const connection = new WatchedConnection(
      life,
      this.#watch,
      parseQueueUrl(definition.url),
      requests,
      payloads,
      settings,
    );
    const router = new Router({ definitions: DEFINITIONS, commandLine: null, job: null, extra: [] });
    return new SqsQueue({
      connection,
      definition,
      store,
      router,
      definitions: DEFINITIONS,
      worker,
      clock,
      newId: () => world.random.hex(32),
      warn,
    });
  }

  /** The power fails: nothing but the files is left. */
  reboot(): void {
    this.#options.world.say(this.name, "is started again");
    this.#boot += 1;
    for (const { life } of this.workers) life.die("power");
    this.machine.table.endAll(() => true);
  }

  #workerEnded(ended: WorkerLife): void {
    if (ended.life.isDead) return;
    ended.isDone = true;
    this.#watch.workerEnded(ended);
    ended.life.die("its work is done");
  }

  #workerFailed({ life }: WorkerLife, error: unknown): void {
    if (life.isDead) return;
    // A queue that is out of reach at the start ends it.
    const isAllowed = life.diskIsBroken || /out of reach/.test(String(error));
    this.#options.world.check(isAllowed, "a worker does not end by itself", () => `${life.name}: ${String(error)}`);
    life.die(`it fails: ${String(error)}`);
  }

  close(): void {
    for (const { life } of this.workers) life.die("the history is over");
    this.observer.close();
    this.#stores.close();
  }
}

const NO_RUNTIME = {
  fetchTrusting: () => () => Promise.reject(new Error("there is no network")),
};
