import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { systemClock } from "../clock.ts";
import type { Configuration, Definition } from "../config/definition.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import { EXIT, messageOf } from "../errors.ts";
import type { Emit } from "../events.ts";
import type { FunctionModule } from "../functions/definitions.ts";
import { createLog, type Log } from "../log.ts";
import { ProcessManager } from "../process/manager.ts";
import type { Queue } from "../queue/port.ts";
import { runtime } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { KernelLocks } from "../worker/locks.ts";
import type { Goal, WorkerEnd, WorkerSettings } from "../worker/ports.ts";
import { Worker } from "../worker/worker.ts";
import { forPeople, locateStore, openStore } from "./context.ts";
import { readDefinitions } from "./definitions.ts";
import { metricsText } from "../service/metrics.ts";
import { isAlive } from "./living-workers.ts";
import { MetricsFile } from "./metrics-file.ts";
import { readInteger, type Invocation, type Options } from "./invocation.ts";
import { Progress } from "./progress.ts";
import { openRoutes } from "./routes.ts";
import { dieBy, exitCodeOf, StopSignals } from "../process/stop-signals.ts";
import { thisWorker } from "../worker/this-worker.ts";
import { openQueues, planWork, type WorkPlan } from "./work-queues.ts";
import { VERSION } from "./version.ts";

/** `reeve work`: runs what is queued, and ends by the signal that stopped it. */
export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const { configuration, modules } = await readDefinitions(options);
  const plan = planWork(invocation, configuration);
  const goal = goalOf(options);
  const log = await createLog({ quiet: options.flag("quiet"), ndjson: options.switched("json") });
  const signals = new StopSignals();
  try {
    const { end, store } = await work(options, configuration, { plan, modules, goal, log, signals });
    store.close();
    return signals.stoppedBy === null ? exitCode(end, goal) : exitCodeOf(signals.stoppedBy);
  } finally {
    await log.close();
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

interface Parts {
  readonly plan: WorkPlan;
  readonly modules: readonly FunctionModule[];
  readonly goal: Goal;
  readonly log: Log;
  readonly signals: StopSignals;
}

async function work(
  options: Options,
  configuration: Configuration,
  { plan, modules, goal, log, signals }: Parts,
): Promise<{ end: WorkerEnd; store: Store }> {
  const store = openStore(locateStore(options, configuration), configuration, {
    patience: "wait",
    onTrouble: (error) => log.emit(error === null ? { type: "healed" } : { type: "trouble", what: messageOf(error) }),
  });
  const settings = { ...settingsOf(options, configuration, goal), definitions: warmed(plan.definitions, options) };
  const warn = (what: string): void => log.emit({ type: "warning", what });
  const processes = processesOf(configuration);
  const { routes, close } = await openRoutes(plan, { configuration, modules, processes, emit: log.emit });
  const queues = await openQueues(plan, { store, worker: settings.id, warn, routes });
  const progress = new Progress({ store, live: log.isTerminal && !options.flag("quiet"), ends: goal.drain });
  const worker = makeWorker(settings, { store, queues, processes, routes }, (event) => {
    log.emit(event);
    progress.take(event);
  });
  const metrics = metricsFile(options, store, warn);
  signals.direct(worker);
  try {
    const end = await worker.work();
    return { end, store };
  } catch (error) {
    throw forPeople(store, error);
  } finally {
    close();
    progress.finish();
    metrics?.end();
  }
}

/** With as many waiting processes as the options ask for. */
function warmed(definitions: WorkerSettings["definitions"], options: Options): WorkerSettings["definitions"] {
  const warm = options.integer("warm", 0);
  if (warm === undefined) return definitions;
  const changed = (one: Definition): Definition =>
    one.function ? { ...one, function: { ...one.function, warm } } : one;
  return new Map([...definitions].map(([name, one]) => [name, changed(one)]));
}

function metricsFile(options: Options, store: Store, warn: (what: string) => void): MetricsFile | null {
  const path = options.text("metrics");
  if (path === undefined) return null;
  const text = (): string =>
    metricsText({ store, isAlive: (worker) => isAlive(worker, runtime.libc()), now: systemClock.now() });
  return new MetricsFile({ path: resolve(path), store, clock: systemClock, text, warn });
}

export const processesOf = ({ worker: { containment } }: Configuration): ProcessManager =>
  new ProcessManager(runtime, systemClock, containment);

interface Around {
  readonly store: Store;
  readonly queues: readonly Queue[];
  readonly processes: ProcessManager;
  readonly routes: MessageRoutes | undefined;
}

/** A worker of this process. */
export function makeWorker(settings: WorkerSettings, { routes, ...around }: Around, emit: Emit): Worker {
  return new Worker(settings, {
    ...around,
    clock: systemClock,
    random: Math.random,
    locks: new KernelLocks(runtime.libc()),
    emit,
    ...(routes && { routes }),
  });
}

/** As the options and the configuration have it. */
export function settingsOf(options: Options, configuration: Configuration, goal: Goal): WorkerSettings {
  const { worker, definitions } = configuration;
  return {
    ...thisWorker(VERSION),
    environment: process.env,
    concurrency: options.integer("concurrency", 1) ?? worker.concurrency ?? availableParallelism(),
    recoveryIntervalMs: worker.recoveryIntervalMs,
    stopBudgetMs: worker.stopBudgetMs,
    connectTimeoutMs: worker.connectTimeoutMs,
    definitions,
    goal,
    foreground: false,
    endsOutliving: options.flag("end-outliving") || worker.endOutliving,
  };
}

/** What the options of `work` say; without any of them it works until it is stopped. */
export function goalOf(options: Options): Goal {
  const once = options.flag("once");
  const maxJobs = options.text("max-jobs");
  return {
    drain: options.flag("drain"),
    whenEmpty: once,
    maxJobs: once ? 1 : maxJobs === undefined ? null : readInteger("--max-jobs", maxJobs, 1),
    maxTimeMs: options.duration("max-time") ?? null,
    idleExitMs: options.duration("idle-exit") ?? null,
  };
}

/** With an end in sight the exit code tells of failed jobs. */
function exitCode({ counts, ranAny }: WorkerEnd, goal: Goal): number {
  if (goal.whenEmpty && !ranAny) return EXIT.nothingThere;
  const ends = goal.drain || goal.maxJobs !== null || goal.maxTimeMs !== null;
  return ends && counts.failed > 0 ? EXIT.jobFailed : EXIT.done;
}
