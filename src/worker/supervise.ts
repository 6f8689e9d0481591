import { messageOf } from "../errors.ts";
import { SpawnFailed, type Launch, type RunningTree, type Takings, type TreeExit } from "../process/port.ts";
import { foregroundOf, type CleanUp, type Ending } from "../store/job.ts";
import type { ActiveJob, Started } from "./active-job.ts";
import { mayBeOfAStop } from "./ending.ts";
import type { CleanedUp, CleanUpOrder } from "./exit-handlers.ts";
import { Hearing } from "./hearing.ts";
import { handlerDirectory, launchOf, timeLimits } from "./launch.ts";
import type { Plan } from "./plan.ts";
import type { Ports } from "./ports.ts";
import { startWithOwnBody } from "./own-body.ts";
import type { RunContext } from "./run.ts";
import { collect, NO_TAKINGS } from "./taking.ts";

/** What there is to say of an attempt when nothing of it runs any more. */
export interface Outcome {
  readonly ending: Ending;
  readonly endedAt: number;
  readonly ranMs: number;
  readonly pid: number | null;
  readonly usage: TreeExit["usage"];
  readonly takings: Takings;
  /** What could not be ended, in words. */
  readonly left: string | null;
  /** What the main process left running lives on, with the files of its slot. */
  readonly isLeft: boolean;
  /** Null: there was nothing to clean up, or nobody to do it. */
  readonly cleanUp: CleanUp | null;
}

/** After so long a job's pid is written down for whoever looks at it; most jobs have ended by then. */
const SHOW_PID_AFTER_MS = 200;
/** systemd signals worker and jobs at once: a job's death by a signal is judged so much later. */
const STOP_MAY_FOLLOW_MS = 1000;
/** The same where somebody waits for a command's end: for what is sent to both in one moment. */
const STOP_MAY_FOLLOW_SOON_MS = 100;

/** Start, supervise, see the tree gone, clean up after it, take in what it left. */
export async function perform(active: ActiveJob, context: RunContext): Promise<Outcome> {
  const { planned } = active.started;
  const { clock } = context.ports;
  // It came too late: the message may be another's already.
  if (active.cause === "lease lost") return notStarted(TOO_LATE, clock.now());
  if (planned.kind !== "plan") return notStarted(unplannedEnding(planned), clock.now());
  const launch = launchOf(active.started, planned.plan, context.ports);
  const hasFile = launch.body?.kind === "file" && !active.started.adopted;
  const tree = hasFile ? await startWithFile(active, launch) : start(active, launch);
  if (tree === null) return notStarted(TOO_LATE, clock.now());
  if (tree instanceof SpawnFailed) {
    return notStarted({ kind: "spawn failed", errno: tree.errno, message: tree.message }, clock.now());
  }
  return supervise(active, tree, { launch, plan: planned.plan }, context);
}

const TOO_LATE: Ending = { kind: "not started", reason: "its lease was over" };

/** What is being run, as it was planned. */
interface Work {
  readonly launch: Launch;
  readonly plan: Plan;
}

async function supervise(active: ActiveJob, tree: RunningTree, work: Work, context: RunContext): Promise<Outcome> {
  const { launch } = work;
  const { clock, emit } = context.ports;
  if (!active.started.adopted) emit({ type: "job started", job: launch.job, attempt: launch.attempt, pid: tree.pid });
  watchTime(active, tree, context);
  const hearing = new Hearing(active, context.ports);
  hearing.begin();
  const tried = (await active.over(tree)) === "stand still" ? await cleanUpStanding(active, tree, work, context) : null;
  const exit = await tree.exited;
  if (exit.outOfMemory === "limit" && exit.code !== 0) active.explain("memory");
  active.exited();
  const endedAt = endOf(active, exit, clock.now());
  const ranMs = Math.max(0, Math.round(active.ranMs - (clock.now() - endedAt)));
  const ending = endingOf(exit);
  // Nothing that stands still exits: it had done so before, and nothing is owed for that.
  const hadEnded = tried !== null && ending.kind === "exited";
  if (hadEnded) active.pardon();
  const standing = hadEnded && tried.cleanUp.outcome === "owed" ? null : tried;
  // Asked now: to end what is left may take longer.
  const isOfAStop = stopFollows(active, ending, endedAt, context);
  const isLeft = launch.limits.keepDescendants && active.cause === null && ending.kind === "exited";
  if (isLeft) tree.leave();
  const left = isLeft ? null : await tree.gone(active.stopOrder());
  if (await isOfAStop) active.explain("stop");
  const cleaned = standing ?? (left === null ? await cleanUpAfter(active, ending, work, context) : null);
  const onFullDisk = foregroundOf(active.started.inputs) ? "give up" : "wait";
  hearing.stop();
  const takings = await collect(active.started.slot, launch, context.ports, onFullDisk);
  const outputs = [...takings.outputs, ...(cleaned?.outputs ?? [])];
  const cleanUp = cleaned?.cleanUp ?? null;
  return {
    ending,
    endedAt,
    ranMs,
    pid: tree.pid,
    usage: exit.usage,
    takings: { ...takings, outputs },
    left,
    isLeft,
    cleanUp,
  };
}

export function notStarted(ending: Ending, endedAt: number): Outcome {
  return {
    ending,
    endedAt,
    ranMs: 0,
    pid: null,
    usage: null,
    takings: NO_TAKINGS,
    left: null,
    isLeft: false,
    cleanUp: null,
  };
}

function unplannedEnding(planned: Exclude<Started["planned"], { kind: "plan" }>): Ending {
  if (planned.kind === "rejected") return { kind: "rejected", reason: planned.reason };
  const message = `this worker has no definition ${planned.definition}, in its reeve.toml or by --jobs`;
  return { kind: "spawn failed", errno: "ENOENT", message };
}

function start(active: ActiveJob, launch: Launch): RunningTree | SpawnFailed {
  try {
    const { slot, adopted } = active.started;
    const tree = adopted?.tree ?? slot.start(launch);
    active.begun(tree);
    return tree;
  } catch (error) {
    if (error instanceof SpawnFailed) return error;
    throw error;
  }
}

/** Null: its lease was lost while its body was copied. */
async function startWithFile(active: ActiveJob, launch: Launch): Promise<RunningTree | SpawnFailed | null> {
  const begin = (own: Launch) => (active.cause === "lease lost" ? null : start(active, own));
  try {
    return await startWithOwnBody(launch, active.started.slot.directory, begin);
  } catch (error) {
    if (error instanceof SpawnFailed) return error;
    throw error;
  }
}

function watchTime(active: ActiveJob, tree: RunningTree, { ports }: RunContext): void {
  const { store, emit } = ports;
  const { job } = active.started;
  active.timers.after(SHOW_PID_AFTER_MS, () => {
    tree.remember();
    const shown = store.write(() => store.attempts.running(job.seq, job.attempts, tree.pid));
    shown.catch((error: unknown) => emit({ type: "trouble", what: messageOf(error) }));
  });
  const { timeoutMs, overrunMs } = timeLimits(active.started);
  const { ranMs = 0, allowedMs = null } = active.started.adopted ?? {};
  // First, so that it is the cause where both come together.
  if (Number.isFinite(overrunMs)) active.timers.after(Math.max(0, overrunMs - ranMs), () => active.end("overrun"));
  const mayRunMs = allowedMs ?? timeoutMs;
  if (Number.isFinite(mayRunMs)) active.mayRunFor(mayRunMs - ranMs);
}

/** What was written down of it, as long as that can be true: files have the time of a coarser clock. */
const endOf = ({ started }: ActiveJob, { endedAt }: TreeExit, now: number): number =>
  Math.min(now, Math.max(started.startedAt, endedAt ?? now));

function endingOf(exit: TreeExit): Ending {
  if (exit.failure) return { kind: "spawn failed", errno: "EINVAL", message: messageOf(exit.failure) };
  if (exit.code !== null) return { kind: "exited", code: exit.code };
  return { kind: "signalled", signal: exit.signal, ...(exit.outOfMemory && { outOfMemory: exit.outOfMemory }) };
}

/** Whether a stop of the worker comes so soon after this end that it explains it, where the job itself does not. */
async function stopFollows(active: ActiveJob, ending: Ending, endedAt: number, context: RunContext): Promise<boolean> {
  if (active.cause !== null || !mayBeOfAStop(ending)) return false;
  const followMs = foregroundOf(active.started.inputs) ? STOP_MAY_FOLLOW_SOON_MS : STOP_MAY_FOLLOW_MS;
  const patienceMs = endedAt + followMs - context.ports.clock.now();
  return patienceMs > 0 && context.stopsWithin(patienceMs);
}

/** The job, unless it has ended, stands still while its exit handler runs for the first time, and is dead afterwards. */
async function cleanUpStanding(
  active: ActiveJob,
  tree: RunningTree,
  work: Work,
  { ports, exitHandlers }: RunContext,
): Promise<CleanedUp | null> {
  await tree.suspend();
  // It had just ended by itself: what it left running is seen to as after any other end.
  if (tree.hasEnded()) {
    tree.resume();
    active.pardon();
    return null;
  }
  const end = async (): Promise<void> => {
    tree.kill();
    await tree.exited;
    await tree.gone(active.stopOrder());
  };
  const order = cleanUpOrder(active, work, "stop", ports);
  const cleaned = await exitHandlers.run({ ...order, beforeRetry: end });
  tree.kill();
  return cleaned;
}

async function cleanUpAfter(
  active: ActiveJob,
  ending: Ending,
  work: Work,
  { ports, exitHandlers }: RunContext,
): Promise<CleanedUp | null> {
  const cause = causeOf(active, ending);
  return work.plan.exitHandler && cause ? exitHandlers.run(cleanUpOrder(active, work, cause, ports)) : null;
}

/** Why there is something to clean up; null: it ended by itself, or what it left is another owner's by now. */
function causeOf({ cause }: ActiveJob, ending: Ending): string | null {
  if (cause === "lease lost" || ending.kind === "spawn failed") return null;
  return cause ?? (ending.kind === "signalled" ? "signal" : null);
}

function cleanUpOrder(active: ActiveJob, { launch, plan }: Work, cause: string, { store }: Ports): CleanUpOrder {
  const { job, slot } = active.started;
  const { attempts: attempt } = job;
  return {
    job,
    attempt,
    argv: plan.exitHandler ?? [],
    cwd: launch.cwd,
    environment: { ...launch.environment, ...slot.places(launch), REEVE_CAUSE: cause },
    body: launch.body,
    limits: launch.limits,
    tries: store.cleanUps.of(job.seq, attempt)?.tries ?? 0,
    tookMs: 0,
    directory: handlerDirectory(slot.directory),
    isOurs: () => active.lease?.isGivenUp !== true,
    lost: active.lease?.givenUp ?? null,
  };
}
