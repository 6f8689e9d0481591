import { availableParallelism, hostname } from "node:os";
import { systemClock } from "../clock.ts";
import { messageOf, usageError } from "../errors.ts";
import type { Emit } from "../events.ts";
import { ProcessManager } from "../process/manager.ts";
import { randomHex } from "../process/random.ts";
import { runtime } from "../runtime/index.ts";
import { StoreLocation } from "../store/location.ts";
import type { Store } from "../store/store.ts";
import { KernelLocks } from "../worker/locks.ts";
import type { Goal, WorkerSettings } from "../worker/ports.ts";
import type { Review } from "../worker/review.ts";
import { thisWorker } from "../worker/this-worker.ts";
import { Worker as InnerWorker } from "../worker/worker.ts";
import { allDefinitions, type KnownJobs } from "./definitions.ts";
import { sharedBy } from "./job-store.ts";
import { openQueues } from "./open-queues.ts";
import { explained, openStore, type Environment } from "./opening.ts";
import { milliseconds, parametersOf } from "./request.ts";
import { openRoutes } from "./routes.ts";
import { VERSION } from "./version.ts";
import type { Decide, WorkerOptions, WorkQueue } from "./worker-options.ts";

const NAME = /^[A-Za-z0-9.-]{1,60}$/;

const ROUTE_TIMEOUT_MS = 5000;

/** A worker that was made for one time. */
export interface Made {
  readonly worker: InnerWorker;
  /** When it has ended. */
  readonly close: () => void;
}

/** Makes workers of what the library's user says of them: one for each time that it is to work. */
export class Workshop {
  readonly name: string;
  readonly #options: WorkerOptions;
  readonly #emit: Emit;
  readonly #queues: readonly WorkQueue[];
  #store: Store | null = null;
  #processes: ProcessManager | null = null;
  #given: Promise<KnownJobs> | null = null;

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
    this.#queues = [queue].flat();
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
  async make(goal: Goal): Promise<Made> {
    const { containment, decide } = this.#options;
    // Who made this process may have children of his own, which are no orphans of jobs.
    const processes = (this.#processes ??= new ProcessManager(runtime, systemClock, containment, undefined, false));
    const settings = await this.#settings(goal);
    const routes = await this.#openRoutes(settings, processes);
    const { params = {} } = this.#options;
    const around = { ...settings, store: this.store, extra: parametersOf(params), emit: this.#emit, routes };
    const worker = new InnerWorker(settings, {
      clock: systemClock,
      random: Math.random,
      store: this.store,
      queues: await openQueues(this.#queues, around),
      processes,
      locks: new KernelLocks(runtime.libc()),
      emit: this.#emit,
      ...(decide && { review: reviewOf(decide) }),
      ...(routes && { routes }),
    });
    return { worker, close: () => routes?.close() };
  }

  async #openRoutes({ definitions, environment }: WorkerSettings, processes: ProcessManager) {
    const isAsked = this.#queues.some(({ kind }) => kind === "sqs");
    const { modules } = await this.#jobs();
    const limitMs = milliseconds("routeTimeout", this.#options.routeTimeout) ?? ROUTE_TIMEOUT_MS;
    const options = { modules, definitions, environment, limitMs, processes, emit: this.#emit };
    return isAsked ? openRoutes(options) : undefined;
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
      definitions: (await this.#jobs()).definitions,
      goal,
      foreground: false,
      endsOutliving: endOutliving ?? false,
    };
  }

  async #jobs(): Promise<KnownJobs> {
    const { definitions, jobs, store } = this.#options;
    if (!definitions && !jobs && typeof store !== "string") return sharedBy(store).jobs;
    // Once: whoever has it work again and again does not pay for it each time.
    this.#given ??= allDefinitions(this.#options, this.#environment);
    return this.#given;
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
