import { availableParallelism } from "node:os";
import { systemClock } from "../clock.ts";
import type { Configuration, Containment } from "../config/definition.ts";
import { EXIT, messageOf, usageError } from "../errors.ts";
import type { Emit } from "../events.ts";
import { createLog, type Log } from "../log.ts";
import { ProcessManager } from "../process/manager.ts";
import { SqliteQueue } from "../queue/sqlite.ts";
import { runtime } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { KernelLocks } from "../worker/locks.ts";
import type { Goal, WorkerEnd, WorkerSettings } from "../worker/ports.ts";
import { Worker } from "../worker/worker.ts";
import { forPeople, locateStore, openStore, readConfiguration } from "./context.ts";
import { readInteger, type Invocation, type Options } from "./invocation.ts";
import { Progress } from "./progress.ts";
import { dieBy, exitCodeOf, StopSignals } from "./stop-signals.ts";
import { thisWorker } from "./this-worker.ts";

/** `reeve work`: runs what is queued, and ends by the signal that stopped it. */
export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const configuration = await readConfiguration(options);
  refuseWhatTheQueueCannot(invocation, configuration);
  const goal = goalOf(options);
  const log = await createLog({ quiet: options.flag("quiet"), ndjson: options.switched("json") });
  const signals = new StopSignals();
  try {
    const { end, store } = await work(options, configuration, goal, log, signals);
    store.close();
    return signals.stoppedBy === null ? exitCode(end, goal) : exitCodeOf(signals.stoppedBy);
  } finally {
    await log.close();
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

async function work(
  options: Options,
  configuration: Configuration,
  goal: Goal,
  log: Log,
  signals: StopSignals,
): Promise<{ end: WorkerEnd; store: Store }> {
  const store = openStore(locateStore(options, configuration), configuration, {
    patience: "wait",
    onTrouble: (error) => log.emit(error === null ? { type: "healed" } : { type: "trouble", what: messageOf(error) }),
  });
  const settings = settingsOf(options, configuration, goal);
  const progress = new Progress({ store, live: log.isTerminal && !options.flag("quiet"), ends: goal.drain });
  const worker = makeWorker(settings, configuration.worker.containment, store, (event) => {
    log.emit(event);
    progress.take(event);
  });
  signals.direct(worker);
  try {
    const end = await worker.work();
    progress.finish();
    return { end, store };
  } catch (error) {
    progress.finish();
    throw forPeople(store, error);
  }
}

function makeWorker(settings: WorkerSettings, containment: Containment, store: Store, emit: Emit): Worker {
  return new Worker(settings, {
    clock: systemClock,
    random: Math.random,
    store,
    queue: new SqliteQueue(store, settings.id, systemClock.now),
    processes: new ProcessManager(runtime, systemClock, containment),
    locks: new KernelLocks(runtime.libc()),
    emit,
  });
}

function settingsOf(options: Options, configuration: Configuration, goal: Goal): WorkerSettings {
  const { worker, definitions } = configuration;
  return {
    ...thisWorker(),
    concurrency: options.integer("concurrency", 1) ?? worker.concurrency ?? availableParallelism(),
    recoveryIntervalMs: worker.recoveryIntervalMs,
    stopBudgetMs: worker.stopBudgetMs,
    definitions,
    goal,
    foreground: false,
    endsOutliving: options.flag("end-outliving") || worker.endOutliving,
  };
}

function goalOf(options: Options): Goal {
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

/** A command line of `work` is for messages, which bring none of their own; the jobs of the store do. */
function refuseWhatTheQueueCannot({ options, command }: Invocation, configuration: Configuration): void {
  const queue = options.text("queue") ?? "sqlite";
  if (queue !== "sqlite" && configuration.queues.get(queue)?.type !== "sqlite") {
    throw usageError(`--queue ${queue}: this build runs the store's own queue only`, "leave --queue out");
  }
  if (command.length > 0 || options.has("param")) {
    throw usageError(
      "`work -- COMMAND` and --param are for a queue whose messages bring no command; the store's jobs bring theirs",
      "`reeve submit -- COMMAND`, then `reeve work`",
    );
  }
}

/** With an end in sight the exit code tells of failed jobs. */
function exitCode({ counts, ranAny }: WorkerEnd, goal: Goal): number {
  if (goal.whenEmpty && !ranAny) return EXIT.nothingThere;
  const ends = goal.drain || goal.maxJobs !== null || goal.maxTimeMs !== null;
  return ends && counts.failed > 0 ? EXIT.jobFailed : EXIT.done;
}
