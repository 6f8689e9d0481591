import { availableParallelism, hostname } from "node:os";
import { systemClock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import { leaseProblem } from "../config/lease.ts";
import { Router } from "../config/routing.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { configurationError, messageOf, usageError } from "../errors.ts";
import type { Emit } from "../events.ts";
import { ProcessManager } from "../process/manager.ts";
import { randomHex } from "../process/random.ts";
import type { Queue } from "../queue/port.ts";
import { SqliteQueue as OwnQueue } from "../queue/sqlite.ts";
import { runtime } from "../runtime/index.ts";
import { StoreLocation } from "../store/location.ts";
import { newId } from "../store/new-id.ts";
import type { Store } from "../store/store.ts";
import { KernelLocks } from "../worker/locks.ts";
import type { Goal, WorkerSettings } from "../worker/ports.ts";
import type { Review } from "../worker/review.ts";
import { thisWorker } from "../worker/this-worker.ts";
import { Worker as InnerWorker } from "../worker/worker.ts";
import { allDefinitions } from "./definitions.ts";
import { sharedBy } from "./job-store.ts";
import { explained, openStore, type Environment } from "./opening.ts";
import { settingsOf, type SqsQueue } from "./queues.ts";
import { milliseconds, parametersOf } from "./request.ts";
import { VERSION } from "./version.ts";
import type { Decide, WorkerOptions, WorkQueue } from "./worker-options.ts";

const NAME = /^[A-Za-z0-9.-]{1,60}$/;

const isOwn = ({ kind }: WorkQueue): boolean => kind === "sqlite";

/** Makes workers of what the library's user says of them: one for each time that it is to work. */
export class Workshop {
  readonly name: string;
  readonly #options: WorkerOptions;
  readonly #emit: Emit;
  readonly #queues: readonly WorkQueue[];
  #store: Store | null = null;
  #processes: ProcessManager | null = null;
  #given: Promise<ReadonlyMap<string, Definition>> | null = null;

  /** @throws ReeveError (usage) for a name or a number that cannot be */
  constructor(options: WorkerOptions, emit: Emit) {
    const {
      name = hostname()
        .replaceAll(/[^A-Za-z0-9.-]/g, "-")
        .slice(0, 40),
      queue = [],
      concurrency = 1,
    } = options;
    if (!NAME.test(name)) throw usageError(`a worker cannot be called ${JSON.stringify(name)}`, `it must be ${NAME}`);
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) throw usageError("concurrency must be at least 1");
    this.name = name;
    this.#options = options;
    this.#emit = emit;
    const queues = [queue].flat();
    // The store's own is one queue, however often it is named.
    this.#queues = queues.filter(({ kind }, index) => kind === "sqs" || index === queues.findIndex(isOwn));
  }

  /** Opened when it is first asked for. */
  get store(): Store {
    this.#store ??= this.#open();
    return this.#store;
  }

  #open(): Store {
    const { store } = this.#options;
    const [directory, usual] =
      typeof store === "string" ? [store, "full" as const] : [store.directory, sharedBy(store).durability];
    const durability = this.#options.durability ?? usual;
    return openStore(new StoreLocation(directory), {
      environment: this.#environment,
      durability,
      // What it has to say is kept until there is room for it.
      patience: "wait",
      onTrouble: (error) =>
        this.#emit(error === null ? { type: "healed" } : { type: "trouble", what: messageOf(error) }),
    });
  }

  get #environment(): Environment {
    return this.#options.environment ?? process.env;
  }

  explained(error: unknown): unknown {
    return explained(this.store, error);
  }

  close(): void {
    this.#processes?.close();
    this.#processes = null;
    this.#store?.close();
    this.#store = null;
  }

  /** @throws ReeveError for a setting that is wrong, or a store that cannot be opened */
  async make(goal: Goal): Promise<InnerWorker> {
    const { containment, decide } = this.#options;
    // Who made this process may have children of his own, which are no orphans of jobs.
    this.#processes ??= new ProcessManager(runtime, systemClock, containment, undefined, false);
    const settings = await this.#settings(goal);
    return new InnerWorker(settings, {
      clock: systemClock,
      random: Math.random,
      store: this.store,
      queues: await this.#openQueues(settings),
      processes: this.#processes,
      locks: new KernelLocks(runtime.libc()),
      emit: this.#emit,
      ...(decide && { review: reviewOf(decide) }),
    });
  }

  async #settings(goal: Goal): Promise<WorkerSettings> {
    const { concurrency, stopBudget, recoveryInterval, connectTimeout, endOutliving } = this.#options;
    return {
      ...thisWorker(VERSION),
      id: `${this.name}-${randomHex(5)}`,
      environment: this.#environment,
      concurrency: goal.maxJobs === 1 ? 1 : (concurrency ?? availableParallelism()),
      stopBudgetMs: milliseconds("stopBudget", stopBudget) ?? 25_000,
      recoveryIntervalMs: milliseconds("recoveryInterval", recoveryInterval) ?? 5000,
      connectTimeoutMs: milliseconds("connectTimeout", connectTimeout) ?? 60_000,
      definitions: await this.#definitions(),
      goal,
      foreground: false,
      endsOutliving: endOutliving ?? false,
    };
  }

  async #definitions(): Promise<ReadonlyMap<string, Definition>> {
    const { definitions, jobs, store } = this.#options;
    if (!definitions && !jobs && typeof store !== "string") return sharedBy(store).definitions;
    // Once: whoever has it work again and again does not pay for it each time.
    this.#given ??= allDefinitions(this.#options, this.#environment);
    return this.#given;
  }

  #openQueues(settings: WorkerSettings): Promise<Queue[]> {
    if (this.#queues.length === 0) return Promise.resolve([this.#ownQueue(settings)]);
    return Promise.all(
      this.#queues.map((queue) =>
        queue.kind === "sqlite" ? this.#ownQueue(settings) : this.#openSqs(queue, settings),
      ),
    );
  }

  #ownQueue({ id }: WorkerSettings): Queue {
    return new OwnQueue(this.store, id, systemClock.now);
  }

  async #openSqs(queue: SqsQueue, { id, definitions }: WorkerSettings): Promise<Queue> {
    const definition = await settingsOf(queue);
    refuseShortLeases(definition, definitions);
    const extra = parametersOf(this.#options.params ?? {});
    const { openSqsQueue } = await import("../queue/sqs-opening.ts");
    return openSqsQueue(definition, {
      clock: systemClock,
      runtime,
      random: Math.random,
      environment: this.#environment,
      store: this.store,
      router: new Router({ definitions, commandLine: null, job: definition.job, extra }),
      definitions,
      worker: id,
      newId,
      warn: (what) => this.#emit({ type: "warning", what }),
    });
  }
}

function refuseShortLeases(queue: SqsQueueDefinition, definitions: ReadonlyMap<string, Definition>): void {
  for (const { name, limits } of definitions.values()) {
    const problem = leaseProblem({ ...queue, graceMs: limits.graceMs });
    if (problem !== null) throw configurationError(`${queue.url} and definitions.${name}: ${problem}`);
  }
}

function reviewOf(decide: Decide): Review {
  return ({ receiveCount, ...judged }) => {
    const decision = decide({ ...judged, receiveCount: receiveCount > 0 ? receiveCount : null });
    if (!decision) return null;
    if ("bury" in decision) return { kind: "bury", reason: decision.bury };
    return { kind: "release", delayMs: milliseconds("release", decision.release) ?? 0 };
  };
}
