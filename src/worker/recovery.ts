import { messageOf } from "../errors.ts";
import type { DeadAttempt, Remains } from "../process/port.ts";
import { foregroundOf, type AttemptEnd, type CleanUp, type Job, type Settlement } from "../store/job.ts";
import type { WorkerRow } from "../store/workers.ts";
import type { Outlived } from "./adoption.ts";
import { isDead, othersOf, type OneOfMany } from "./others.ts";
import { AGAIN, forItsProcess, judge, judgeStuck } from "./ending.ts";
import type { CleanedUp, ExitHandlers } from "./exit-handlers.ts";
import { handlerDirectory, laterEnvironment } from "./launch.ts";
import { owedReason } from "./owed.ts";
import type { Planner } from "./plan.ts";

export interface RecoveryOptions extends OneOfMany {
  readonly planner: Planner;
  readonly exitHandlers: ExitHandlers;
  /** Takes over a job that outlived its worker. False: it is left to the next one. */
  readonly adopt: (job: Job, outlived: Outlived) => Promise<boolean>;
  /** Milliseconds after which a job of which nothing can be known is given up. */
  readonly unknownAfterMs: number;
}

/** What became of one job. Left: nothing can be said of it yet, or nothing done. */
type Recovered = "recovered" | "adopted" | "left";

/**
 * Cleans up after workers that are dead: their lock can be taken. Whoever takes it recovers alone; a crash in the
 * middle frees it for the next. Each job's tree is ended first, then its end is recorded, and only then may it run
 * again.
 */
export class Recovery {
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** One pass over all workers. */
  async pass(): Promise<void> {
    await Promise.all(othersOf(this.#options).map((other) => this.#recoverIfDead(other)));
  }

  /** Whether a pass would find anything to do. */
  isNeeded(): boolean {
    return othersOf(this.#options).some((other) => isDead(other, this.#options.ports.locks));
  }

  async #recoverIfDead(other: WorkerRow): Promise<void> {
    const lock = this.#options.ports.locks.tryTake(other.directory);
    if (!lock) return;
    try {
      await this.#recover(other);
    } finally {
      lock.release();
    }
  }

  async #recover(dead: WorkerRow): Promise<void> {
    const { store, emit } = this.#options.ports;
    const jobs = store.workers.jobsOf(dead.id);
    const done = await this.#recoverAll(jobs, dead);
    const recovered = done.filter((one) => one === "recovered").length;
    if (recovered > 0) emit({ type: "recovered", worker: dead.id, jobs: recovered });
    // What is unknown is looked at again with the next pass, and needs the slots until then.
    if (done.includes("left")) return;
    await store.write(() => {
      store.workers.unregister(dead.id);
      store.wakeWorkers();
    });
  }

  /** All have been seen to before the dead worker's lock is given up, whatever goes wrong with one. */
  async #recoverAll(jobs: readonly Job[], dead: WorkerRow): Promise<Recovered[]> {
    const ends = await Promise.allSettled(jobs.map((job) => this.#recoverJob(job, dead)));
    return ends.map((end) => {
      if (end.status === "rejected") throw end.reason;
      return end.value;
    });
  }

  async #recoverJob(job: Job, dead: WorkerRow): Promise<Recovered> {
    // First what cleans up: the tree may stand still for it, and goes on when it is ended.
    const handlerLeft = await this.#endHandler(job, dead);
    const remains = handlerLeft ?? (await this.#end(this.#deadAttempt(job, dead)));
    if (remains.kind === "outlived") return (await this.#options.adopt(job, remains)) ? "adopted" : "left";
    if (remains.kind === "gone") return this.#recoverGone(job, remains, dead);
    const since = this.#options.ports.store.attempts.unknownSince(job);
    if (since !== null && this.#options.ports.clock.now() - since >= this.#options.unknownAfterMs) {
      await this.#recordLost(job, { ...NOTHING_LEFT, pid: null }, remains.what, null);
      return "recovered";
    }
    await this.#recordUnknown(job, remains.what, since !== null);
    return "left";
  }

  async #recoverGone(job: Job, remains: Gone, dead: WorkerRow): Promise<Recovered> {
    const cleaned = await this.#cleanUp(job, dead);
    // A stop of this worker cut it short: it is left to the next one as it was found.
    if (cleaned?.cleanUp.outcome === "owed") return "left";
    await this.#recordLost(job, remains, null, cleaned);
    return "recovered";
  }

  /** Ends an exit handler that the dead worker had begun. Null when nothing of it is left. */
  async #endHandler(job: Job, dead: WorkerRow): Promise<Extract<Remains, { kind: "unknown" }> | null> {
    const { store } = this.#options.ports;
    const attempt = job.owed ?? job.attempts;
    const place = store.cleanUps.of(job.seq, attempt)?.place ?? null;
    if (place === null) return null;
    const tree = this.#deadAttempt(job, dead);
    const directory = handlerDirectory(tree.directory);
    const remains = await this.#end({ ...tree, ...place, attempt, directory, role: "exit handler", mayGoOn: false });
    return remains.kind === "unknown" ? remains : null;
  }

  /** Null: there is nothing to do, or it is owed for an earlier attempt, and the job was not started. */
  async #cleanUp(job: Job, dead: WorkerRow): Promise<CleanedUp | null> {
    const { ports, planner, exitHandlers } = this.#options;
    const row = ports.store.cleanUps.of(job.seq, job.attempts);
    if (!row?.handler || row.outcome !== null || job.owed !== null) return null;
    const inputs = ports.store.jobs.inputs(job.seq);
    const planned = planner.plan(job, inputs);
    const environment = laterEnvironment(job, job.attempts, row, inputs, planned, ports);
    const cleaned = await exitHandlers.run({
      job,
      attempt: job.attempts,
      ...row.handler,
      environment: { ...environment, REEVE_CAUSE: job.abortBy === null ? "lost" : "abort" },
      body: inputs.body,
      limits: planned.limits,
      tries: row.tries,
      tookMs: row.tookMs,
      directory: handlerDirectory(this.#deadAttempt(job, dead).directory),
    });
    const { tries } = cleaned.cleanUp;
    await ports.store.write(() => ports.store.cleanUps.cutShort(job.seq, job.attempts, tries));
    return cleaned;
  }

  #deadAttempt(job: Job, dead: WorkerRow): DeadAttempt {
    const { store } = this.#options.ports;
    const directory = store.attempts.one(job.seq, job.attempts)?.directory ?? dead.directory;
    const limits = this.#options.planner.limits(job, store.jobs.inputs(job.seq));
    const isCleanedUpAfter = (store.cleanUps.of(job.seq, job.attempts)?.place ?? null) !== null;
    return {
      job: job.id,
      attempt: job.attempts,
      directory,
      jobDirectory: store.location.job(job.id),
      role: "job",
      limits,
      // As it was started, whatever this worker knows of its definition; but not when it has been cleaned up after.
      mayGoOn: !isCleanedUpAfter && directory === store.location.outlivingAttempt(job.id, job.attempts),
      bootId: dead.bootId,
      pidNamespace: dead.pidNamespace,
      workerWasInit: dead.pid === 1,
    };
  }

  async #end(remains: DeadAttempt): Promise<Remains> {
    try {
      return await this.#options.ports.processes.recover(remains);
    } catch (error) {
      return { kind: "unknown", what: `its recovery failed: ${messageOf(error)}` };
    }
  }

  async #recordLost(dead: Job, remains: Gone, left: string | null, cleaned: CleanedUp | null): Promise<void> {
    const { store, clock, emit } = this.#options.ports;
    const recorded = await store.write(() => {
      store.wakeWorkers();
      // An abort may have come while its tree was being ended.
      const job = { ...dead, abortBy: store.jobs.bySeq(dead.seq)?.abortBy ?? null };
      const end = lostEnd(job, remains, cleaned, clock.now());
      const judgedEnd = this.#judge(job, cleaned?.cleanUp ?? null);
      const judged = left === null ? judgedEnd : judgeStuck(judgedEnd, left);
      const settlement = store.attempts.end(job, end, judged, this.#options.worker);
      return settlement && { end, settlement };
    });
    if (recorded) emit({ type: "job ended", job: dead.id, attempt: dead.attempts, ...recorded, ranMs: 0 });
  }

  #judge(job: Job, cleanUp: CleanUp | null): Settlement {
    if (job.owed !== null) return AGAIN;
    const { store, random } = this.#options.ports;
    const inputs = store.jobs.inputs(job.seq);
    const settlement = judge({
      ending: { kind: "lost" },
      cause: job.abortBy === null ? null : "abort",
      abortBy: job.abortBy,
      job,
      limits: this.#options.planner.limits(job, inputs),
      said: null,
      cleanUp,
      programMayTurnUp: false,
      random,
    });
    return foregroundOf(inputs) ? forItsProcess(settlement) : settlement;
  }

  async #recordUnknown(job: Job, what: string, isKnownToBe: boolean): Promise<void> {
    if (isKnownToBe) return;
    const { store, clock, emit } = this.#options.ports;
    await store.write(() => store.attempts.unknown(job, what, clock.now(), this.#options.worker));
    emit({ type: "job unknown", job: job.id, what });
  }
}

type Gone = Extract<Remains, { kind: "gone" }>;

const NOTHING_LEFT = {
  kind: "gone",
  takings: { outputs: [], results: [], progress: null, error: null, warnings: [] },
} as const;

function lostEnd(job: Job, { pid, takings }: Gone, cleaned: CleanedUp | null, at: number): AttemptEnd {
  return {
    ending: job.owed === null ? { kind: "lost" } : { kind: "not started", reason: owedReason(job) },
    cause: job.abortBy === null ? null : "abort",
    endedAt: at,
    // Nobody saw for how long, and the time without a worker is not the job's.
    ranMs: 0,
    pid,
    userMicroseconds: null,
    systemMicroseconds: null,
    peakBytes: null,
    outputs: [...takings.outputs, ...(cleaned?.outputs ?? [])],
    results: takings.results,
    progress: takings.progress,
    ...(cleaned && { cleanUp: cleaned.cleanUp }),
  };
}
