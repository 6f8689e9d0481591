import { systemClock } from "../clock.ts";
import type { Configuration } from "../config/definition.ts";
import { usageError } from "../errors.ts";
import { runtime } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import type { NewJob } from "../store/submission.ts";
import { readDocument } from "../uws/document.ts";
import { STAY, type WorkerSettings } from "../worker/ports.ts";
import { helpHint } from "./arguments.ts";
import { locateStore, openStore } from "./context.ts";
import { readDefinitions } from "./definitions.ts";
import { dieAs } from "./dying.ts";
import type { WayOut } from "./foreground-end.ts";
import { Foreground } from "./foreground.ts";
import { ForwardedSignals } from "./forwarded-signals.ts";
import { newId } from "../store/new-id.ts";
import type { Invocation, Options } from "./invocation.ts";
import { isOneStream } from "./live-output.ts";
import { newJob } from "./submission/build.ts";
import { hereAndNow } from "./submission/here-and-now.ts";
import { requestOf } from "./submission/flags.ts";
import { thisWorker } from "../worker/this-worker.ts";
import { VERSION } from "./version.ts";

/** `reeve run`: one command, or job of a definition, here and now, supervised and recorded. This process ends as it does. */
export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const { configuration } = await readDefinitions(options);
  const job = jobOf(invocation, configuration);
  const way = await perform(job, configuration, options);
  return "code" in way ? way.code : dieAs(way.signal, runtime.libc());
}

async function perform(job: NewJob, configuration: Configuration, options: Options): Promise<WayOut> {
  const signals = new ForwardedSignals();
  const store = openStore(locateStore(options, configuration), configuration);
  try {
    const settings = settingsOf(job, configuration, options);
    const { containment } = configuration.worker;
    const foreground = new Foreground({ job, settings, containment, store, signals });
    return await foreground.run(() => (options.flag("json") ? documentOf(store, job) : null));
  } finally {
    store.close();
    signals.remove();
  }
}

function jobOf(invocation: Invocation, { definitions }: Configuration): NewJob {
  const { options, args, command } = invocation;
  const [name] = args;
  const isNamed = name !== undefined && args.length === 1 && command.length === 0 && definitions.size > 0;
  if (!isNamed && (args.length > 0 || command.length === 0)) {
    throw usageError("`reeve run` takes its command after `--`", "reeve run --timeout 10m -- make test");
  }
  const direct = options.flag("direct");
  if (direct) refuseBesideDirect(options);
  const asked = requestOf(invocation, process.env);
  const limits = { output: isOneStream() ? ("log" as const) : ("separate" as const), ...asked.limits };
  const now = systemClock.now();
  const around = { definitions, environment: process.env, cwd: process.cwd(), now, newId, idOf: () => "" };
  const foreground = { direct };
  if (!isNamed) return newJob({ ...asked, limits, foreground }, around);
  return hereAndNow(newJob(asked, around), { definitions, foreground, output: limits.output });
}

/** What is not kept needs no manner of keeping it. */
function refuseBesideDirect(options: Options): void {
  const beside = ["output", "output-limit", "timestamps"].find((name) => options.has(name));
  if (beside !== undefined) throw usageError(`--${beside} means nothing beside --direct`, helpHint("run"));
}

/** What is kept of the stop budget beside the grace that was asked for: to kill, to record, to show what was written. */
const RESERVE_MS = 3000;

function settingsOf(job: NewJob, { worker, definitions }: Configuration, options: Options): WorkerSettings {
  const graceMs = job.context.kind === "command" && options.has("grace") ? job.context.limits.graceMs : 0;
  return {
    ...thisWorker(VERSION),
    environment: process.env,
    concurrency: 1,
    recoveryIntervalMs: worker.recoveryIntervalMs,
    stopBudgetMs: Math.max(worker.stopBudgetMs, graceMs + RESERVE_MS),
    definitions,
    goal: { ...STAY, maxJobs: 1 },
    connectTimeoutMs: 0,
    foreground: true,
    endsOutliving: true,
  };
}

function documentOf(store: Store, { id }: NewJob): string | null {
  const job = store.jobs.byId(id);
  return job ? JSON.stringify(readDocument(store, job)) : null;
}
