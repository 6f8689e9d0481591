import { factsEnvironment } from "../process/environment.ts";
import { SpawnFailed, type Launch, type RunningTree, type Slot, type Takings } from "../process/port.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { Exit } from "../runtime/port.ts";
import type { AttemptEnd, Ending, Settlement } from "../store/job.ts";
import type { ActiveJob, Started } from "./active-job.ts";
import { judge, judgeStuck, mayBeOfAStop } from "./ending.ts";
import type { Plan } from "./plan.ts";
import type { Ports } from "./ports.ts";
import { tell } from "./tell.ts";

/** What a run asks of the worker that it belongs to. */
export interface RunContext {
  readonly ports: Ports;
  readonly worker: string;
  /** A worker that stays can wait for a program to be installed. */
  readonly stays: boolean;
  /** True when the worker stops, now or within so many milliseconds. */
  stopsWithin(milliseconds: number): Promise<boolean>;
  /** Called in the moment in which the end is being written, so that the next claim shares its commit. */
  ending(active: ActiveJob, outcome: Outcome): void;
  /** The end is on disk. */
  ended(active: ActiveJob, end: AttemptEnd, settlement: Settlement): void;
}

/** What there is to say of an attempt when nothing of it runs any more. */
export interface Outcome {
  readonly ending: Ending;
  readonly endedAt: number;
  readonly ranMs: number;
  readonly pid: number | null;
  readonly usage: Exit["usage"];
  readonly takings: Takings;
  /** What could not be ended, in words. */
  readonly left: string | null;
}

const NO_TAKINGS: Takings = { outputs: [], results: [], progress: null, error: null, warnings: [] };

/** After so long a job's pid is written down for whoever looks at it; most jobs have ended by then. */
const SHOW_PID_AFTER_MS = 200;
/** systemd signals worker and jobs at once: a job's death by a signal is judged so much later. */
const STOP_MAY_FOLLOW_MS = 1000;
const FULL_DISK_RETRY_MS = 1000;

/** One message's life, from its recorded start to its told verdict. One direction: record first, tell the queue last. */
export async function run(active: ActiveJob, context: RunContext): Promise<void> {
  const { store, queue } = context.ports;
  const { job, message } = active.started;

  const outcome = await perform(active, context);
  const isUnexplained = active.cause === null && mayBeOfAStop(outcome.ending);
  if (isUnexplained && (await context.stopsWithin(STOP_MAY_FOLLOW_MS))) active.explain("stop");
  const judged = settle(active, outcome, context);
  const end = attemptEnd(active, outcome);

  const warnings = warningsOf(outcome);
  const recorded = store.write(() => {
    // Another worker may take at once what this one puts back.
    if (judged.phase === "QUEUED") store.wakeWorkers();
    for (const warning of warnings) store.decisions.add(job.seq, end.endedAt, "warning", context.worker, warning);
    return store.attempts.end(job, end, judged, context.worker);
  });
  context.ending(active, outcome);
  const settlement = await recorded;
  if (settlement === null) return;
  repeat(active.started, warnings, outcome.takings, context.ports);
  context.ended(active, end, settlement);

  if (!queue.recordIsTold) await tell(queue, message.receipt, settlement.verdict, context.ports);
}

/** What was wrong with what the job said; beside exit 0 an error of its own is no more than that. */
function warningsOf({ ending, takings: { warnings, error } }: Outcome): readonly string[] {
  const succeeded = ending.kind === "exited" && ending.code === 0;
  return succeeded && error ? [...warnings, `it exited with 0 and said: ${error.message}`] : warnings;
}

/** Tells the log what the job had to say. */
function repeat({ job }: Started, warnings: readonly string[], { said = [] }: Takings, { emit }: Ports): void {
  const name = { job: job.id, attempt: job.attempts };
  for (const warning of warnings) emit({ type: "job warning", ...name, warning });
  for (const { level, message } of said) emit({ type: "job said", ...name, level, said: message });
}

/** Start, supervise, see the tree gone, take in what it left. */
async function perform(active: ActiveJob, context: RunContext): Promise<Outcome> {
  const { planned, slot } = active.started;
  const { clock, emit } = context.ports;
  if (planned.kind !== "plan") return notStarted(unplannedEnding(planned), clock.now());
  const launch = launchOf(active.started, planned.plan, context);
  const tree = start(active, launch);
  if (tree instanceof SpawnFailed) {
    return notStarted({ kind: "spawn failed", errno: tree.errno, message: tree.message }, clock.now());
  }
  const begun = clock.monotonic();
  emit({ type: "job started", job: launch.job, attempt: launch.attempt, pid: tree.pid });
  watchTime(active, tree, context);
  const exit = await tree.exited;
  active.exited();
  const endedAt = clock.now();
  const ranMs = Math.round(clock.monotonic() - begun);
  const left = await tree.gone(active.stopOrder());
  const takings = await collect(slot, launch, context.ports);
  return { ending: endingOf(exit), endedAt, ranMs, pid: tree.pid, usage: exit.usage, takings, left };
}

/** On a full disk what the job left waits where it is. */
async function collect(slot: Slot, launch: Launch, { clock, emit }: Ports): Promise<Takings> {
  for (;;) {
    try {
      return slot.collect(launch);
    } catch (error) {
      if (codeOf(error) !== "ENOSPC") throw error;
      emit({ type: "trouble", what: `the output of job ${launch.job} cannot be kept: ${messageOf(error)}` });
      await clock.sleep(FULL_DISK_RETRY_MS);
    }
  }
}

function notStarted(ending: Ending, endedAt: number): Outcome {
  return { ending, endedAt, ranMs: 0, pid: null, usage: null, takings: NO_TAKINGS, left: null };
}

function unplannedEnding(planned: Exclude<Started["planned"], { kind: "plan" }>): Ending {
  if (planned.kind === "rejected") return { kind: "rejected", reason: planned.reason };
  const message = `this worker has no definition ${planned.definition}`;
  return { kind: "spawn failed", errno: "ENOENT", message };
}

function start(active: ActiveJob, launch: Launch): RunningTree | SpawnFailed {
  try {
    const tree = active.started.slot.start(launch);
    active.begun(tree);
    return tree;
  } catch (error) {
    if (error instanceof SpawnFailed) return error;
    throw error;
  }
}

function launchOf({ job, inputs, message, planned, startedAt }: Started, plan: Plan, context: RunContext): Launch {
  const { queue, store } = context.ports;
  const facts = factsEnvironment({
    job: job.id,
    attempt: job.attempts,
    receiveCount: message.receiveCount,
    messageId: message.id,
    queue: queue.name,
    deadline: deadline(startedAt, timeLimit({ job, planned })),
    parameters: inputs.parameters,
    attributes: inputs.attributes,
  });
  return {
    job: job.id,
    attempt: job.attempts,
    argv: plan.argv,
    cwd: plan.cwd,
    environment: { ...plan.environment, ...facts },
    body: inputs.body,
    role: "job",
    limits: planned.limits,
    jobDirectory: store.location.job(job.id),
  };
}

/** Milliseconds that this attempt may run, and what it is when they are over. */
function timeLimit({ job, planned }: Pick<Started, "job" | "planned">) {
  const timeout = planned.limits.timeoutMs ?? Number.POSITIVE_INFINITY;
  const allAttempts = job.executionDuration > 0 ? job.executionDuration * 1000 : Number.POSITIVE_INFINITY;
  const left = Math.max(0, allAttempts - job.runningMs);
  return left <= timeout
    ? ({ milliseconds: left, cause: "overrun" } as const)
    : ({ milliseconds: timeout, cause: "timeout" } as const);
}

function deadline(startedAt: number, { milliseconds }: ReturnType<typeof timeLimit>): number | null {
  return Number.isFinite(milliseconds) ? Math.floor((startedAt + milliseconds) / 1000) : null;
}

function watchTime(active: ActiveJob, tree: RunningTree, { ports }: RunContext): void {
  const { clock, store, emit } = ports;
  const { job } = active.started;
  active.after(SHOW_PID_AFTER_MS, clock, () => {
    tree.remember();
    const shown = store.write(() => store.attempts.running(job.seq, job.attempts, tree.pid));
    shown.catch((error: unknown) => emit({ type: "trouble", what: messageOf(error) }));
  });
  const { milliseconds, cause } = timeLimit(active.started);
  if (Number.isFinite(milliseconds)) active.after(milliseconds, clock, () => active.end(cause));
}

function endingOf(exit: Exit): Ending {
  if (exit.failure) return { kind: "spawn failed", errno: "EINVAL", message: messageOf(exit.failure) };
  return exit.code === null ? { kind: "signalled", signal: exit.signal } : { kind: "exited", code: exit.code };
}

function settle(active: ActiveJob, { ending, takings, left }: Outcome, context: RunContext): Settlement {
  const { job, inputs, planned } = active.started;
  const settlement = judge({
    ending,
    cause: active.cause,
    abortBy: active.by,
    job,
    limits: planned.limits,
    said: takings.error,
    programMayTurnUp: context.stays && inputs.context.kind === "definition",
    random: context.ports.random,
  });
  return left === null ? settlement : judgeStuck(settlement, left);
}

function attemptEnd(active: ActiveJob, { ending, endedAt, ranMs, pid, usage, takings }: Outcome): AttemptEnd {
  return {
    ending,
    cause: active.cause,
    endedAt,
    ranMs,
    pid,
    userMicroseconds: usage?.userMicroseconds ?? null,
    systemMicroseconds: usage?.systemMicroseconds ?? null,
    peakBytes: usage?.peakBytes ?? null,
    outputs: takings.outputs,
    results: takings.results,
    progress: takings.progress,
  };
}
