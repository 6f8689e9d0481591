import type { Limits, ResourceLimits } from "../config/definition.ts";
import { SpawnFailed, type Launch, type RunningTree, type Slot, type TreeExit } from "../process/port.ts";
import type { Body } from "../config/message-body.ts";
import type { Place } from "../store/clean-ups.ts";
import type { CleanUp, Job, Output } from "../store/job.ts";
import { startWithOwnBody } from "./own-body.ts";
import type { Host, Ports } from "./ports.ts";
import type { Stop } from "./stop.ts";
import { collect } from "./taking.ts";

/** What is to be done after one attempt. */
export interface CleanUpOrder {
  readonly job: Job;
  readonly attempt: number;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Has `REEVE_CAUSE` in it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly limits: Limits;
  /** Tries that were begun before, perhaps by a worker that is dead now. */
  readonly tries: number;
  /** Milliseconds that those took. */
  readonly tookMs: number;
  /** Where its files are while it runs. */
  readonly directory: string;
  /** False: the job's message may be another's, whose work must not be cleaned up. */
  readonly isOurs: () => boolean;
  /** Kept when that comes to be so; null: it never does. */
  readonly lost: Promise<void> | null;
  /** Called before a second try: nothing of the job itself may run then. */
  readonly beforeRetry?: () => Promise<void>;
}

export interface CleanedUp {
  readonly cleanUp: CleanUp;
  /** What the handler wrote. */
  readonly outputs: readonly Output[];
}

type Try = Pick<CleanUp, "exitCode" | "signal"> & {
  readonly result: "done" | "failed" | "cut short";
  readonly outputs: readonly Output[];
};

const MOST_TRIES = 2;
const NOT_RUN: Try = { result: "cut short", exitCode: null, signal: null, outputs: [] };
/** A handler whose time is over may say goodbye for so long, in milliseconds. */
const GRACE_MS = 1000;

/** Runs exit handlers: each twice at most, also across crashes, and none longer than a stop of the worker allows. */
export class ExitHandlers {
  readonly #ports: Ports;
  readonly #place: Place;
  readonly #stop: Pick<Stop, "graceLeftMs">;
  readonly #running = new Set<RunningTree>();
  /** Those that were killed before they had ended. */
  readonly #cutShort = new WeakSet<RunningTree>();
  #isCutShort = false;

  constructor(ports: Ports, host: Host, stop: Pick<Stop, "graceLeftMs">) {
    const { bootId, pidNamespace, pid } = host;
    this.#ports = ports;
    this.#place = { bootId, pidNamespace, workerWasInit: pid === 1 };
    this.#stop = stop;
  }

  async run(order: CleanUpOrder): Promise<CleanedUp> {
    const begun = this.#ports.clock.monotonic();
    const slot = this.#ports.processes.openSlot(order.directory);
    try {
      const { last, tries, outputs } = await this.#tries(order, slot);
      const outcome = last.result === "cut short" ? "owed" : last.result;
      const tookMs = order.tookMs + Math.round(this.#ports.clock.monotonic() - begun);
      const cleanUp: CleanUp = { outcome, tries, exitCode: last.exitCode, signal: last.signal, tookMs };
      this.#ports.emit({ type: "cleaned up", job: order.job.id, attempt: order.attempt, cleanUp });
      return { cleanUp, outputs };
    } finally {
      slot.close();
    }
  }

  /** A try that was cut short is no failure, and is not counted: what is owed gets it again. */
  async #tries(order: CleanUpOrder, slot: Slot): Promise<{ last: Try; tries: number; outputs: readonly Output[] }> {
    let last: Try = { ...NOT_RUN, result: order.tries < MOST_TRIES ? "cut short" : "failed" };
    let outputs: readonly Output[] = [];
    for (let tries = order.tries; tries < MOST_TRIES; tries += 1) {
      if (tries > 0) await order.beforeRetry?.();
      last = await this.#tryOnce({ ...order, tries: tries + 1 }, slot);
      outputs = joined(outputs, last.outputs);
      if (last.result === "cut short") return { last, tries, outputs };
      if (last.result === "done") return { last, tries: tries + 1, outputs };
    }
    return { last, tries: MOST_TRIES, outputs };
  }

  async #tryOnce(order: CleanUpOrder, slot: Slot): Promise<Try> {
    const { store, emit } = this.#ports;
    if (this.#mayRunMs(order) <= 0) return NOT_RUN;
    await store.write(() => store.cleanUps.begun(order.job.seq, order.attempt, order.tries, this.#place));
    // That may have taken a while.
    if (this.#mayRunMs(order) <= 0) return NOT_RUN;
    const launch = launchOf(order, store.location.job(order.job.id));
    try {
      const tree = await startWithOwnBody(launch, order.directory, (own) => slot.start(own));
      void order.lost?.then(() => this.#running.has(tree) && this.#cut(tree));
      return await this.#supervise(tree, launch, slot, this.#mayRunMs(order));
    } catch (error) {
      if (!(error instanceof SpawnFailed)) throw error;
      emit({
        type: "job warning",
        job: order.job.id,
        attempt: order.attempt,
        warning: `exit handler: ${error.message}`,
      });
      return { ...NOT_RUN, result: "failed" };
    }
  }

  /** Zero when nothing more may be begun. */
  #mayRunMs({ limits, isOurs }: CleanUpOrder): number {
    return this.#isCutShort || !isOurs() ? 0 : Math.min(limits.exitHandlerMs, this.#stop.graceLeftMs);
  }

  async #supervise(tree: RunningTree, launch: Launch, slot: Slot, forMs: number): Promise<Try> {
    const { clock } = this.#ports;
    const order = { signal: "TERM", graceMs: GRACE_MS } as const;
    this.#running.add(tree);
    if (this.#isCutShort) this.#cut(tree);
    let isLate = false;
    const cancel = clock.after(forMs, () => {
      isLate = !tree.hasEnded();
      tree.stop(order);
    });
    const exit = await tree.exited;
    cancel();
    // Its own time over is a failure; a stop's is not.
    const isCutShort = this.#cutShort.has(tree) || (isLate && forMs < launch.limits.exitHandlerMs);
    await tree.gone(order);
    this.#running.delete(tree);
    const taken = await collect(slot, launch, this.#ports);
    return { ...endOf(exit), result: resultOf(exit, isLate, isCutShort), outputs: outputsOf(taken.outputs) };
  }

  /** The worker must end now: what is being tried is owed. */
  killAll(): void {
    if (this.#isCutShort) return;
    this.#isCutShort = true;
    for (const tree of this.#running) this.#cut(tree);
  }

  /** What has ended by itself has ended, though nobody was told yet. */
  #cut(tree: RunningTree): void {
    if (!tree.hasEnded()) this.#cutShort.add(tree);
    tree.kill();
  }
}

function resultOf(exit: TreeExit, isLate: boolean, isCutShort: boolean): Try["result"] {
  if (exit.code === 0 && !isLate) return "done";
  return isCutShort ? "cut short" : "failed";
}

const endOf = ({ code, signal, failure }: TreeExit): Pick<CleanUp, "exitCode" | "signal"> =>
  failure ? { exitCode: 127, signal: null } : { exitCode: code, signal };

function launchOf(order: CleanUpOrder, jobDirectory: string): Launch {
  const { job, attempt, argv, cwd, environment, body } = order;
  // What bounds the job (its namespace, its memory) does not bound who cleans up after it; as whom it ran does.
  const limits: Limits = { ...order.limits, output: "log", isolate: "none", outlive: false, keepDescendants: false };
  return {
    job: job.id,
    attempt,
    role: "exit handler",
    argv,
    cwd,
    environment,
    body,
    limits: { ...limits, resources: asTheSameUser(order.limits.resources), timestamps: false },
    jobDirectory: `${jobDirectory}/exit-handler`,
  };
}

const asTheSameUser = ({ user, group, umask, optional }: ResourceLimits): ResourceLimits => ({
  optional,
  ...(user !== undefined && { user }),
  ...(group !== undefined && { group }),
  ...(umask !== undefined && { umask }),
});

const outputsOf = (outputs: readonly Output[]): Output[] =>
  outputs.map(({ content, leftOut }) => ({ stream: "exit handler", content, ...(leftOut && { leftOut }) }));

/** The outputs of two tries as one; where one of them is large, only the later. */
function joined(before: readonly Output[], after: readonly Output[]): readonly Output[] {
  const [one, other] = [before[0]?.content, after[0]?.content];
  if (one?.kind !== "inline" || other === undefined) return other === undefined ? before : after;
  if (other.kind !== "inline") return after;
  return [{ stream: "exit handler", content: { kind: "inline", bytes: Buffer.concat([one.bytes, other.bytes]) } }];
}
