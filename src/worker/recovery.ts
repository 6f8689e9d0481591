import { messageOf } from "../errors.ts";
import type { DeadAttempt, Remains } from "../process/port.ts";
import type { Job } from "../store/job.ts";
import type { WorkerRow } from "../store/workers.ts";
import type { Outlived } from "./adoption.ts";
import { isDead, othersOf, type OneOfMany } from "./others.ts";
import type { CleanedUp, ExitHandlers } from "./exit-handlers.ts";
import { handlerDirectory, laterEnvironment } from "./launch.ts";
import { NOTHING_LEFT, recordLost, type Gone } from "./lost.ts";
import type { Planner } from "./plan.ts";
import type { Lock } from "./ports.ts";

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

/** What is still to be done for one job. */
type Rest = () => Promise<Recovered>;

interface DeadWorker {
  readonly row: WorkerRow;
  readonly lock: Lock;
}

/** All of them have come to an end, also where one went wrong, which is thrown then. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

const OWED: CleanedUp = {
  cleanUp: { outcome: "owed", tries: 0, exitCode: null, signal: null, tookMs: 0 },
  outputs: [],
};

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

  /** One pass over all workers. `onAdopted`: what goes on has been adopted, and takes its places. */
  async pass(onAdopted: () => void): Promise<void> {
    const dead = othersOf(this.#options).flatMap((other) => this.#takeIfDead(other));
    const begun = await Promise.allSettled(dead.map((one) => this.#begin(one)));
    onAdopted();
    await Promise.all(dead.map((one, index) => this.#finish(one, begun[index])));
  }

  /** Whether a pass would find anything to do. */
  isNeeded(): boolean {
    return othersOf(this.#options).some((other) => isDead(other, this.#options.ports.locks));
  }

  #takeIfDead(other: WorkerRow): DeadWorker[] {
    const lock = this.#options.ports.locks.tryTake(other.directory);
    return lock ? [{ row: other, lock }] : [];
  }

  /** Adopts what goes on. Gives what is to be done for each of its jobs after that. */
  #begin({ row }: DeadWorker): Promise<Rest[]> {
    const jobs = this.#options.ports.store.workers.jobsOf(row.id);
    return allOf(jobs.map((job) => this.#beginJob(job, row)));
  }

  async #beginJob(job: Job, dead: WorkerRow): Promise<Rest> {
    const attempt = this.#deadAttempt(job, dead);
    if (!attempt.mayGoOn) return async () => this.#recover(job, await this.#endAll(job, attempt, dead), dead);
    const remains = await this.#endAll(job, attempt, dead);
    if (remains.kind !== "outlived") return () => this.#recover(job, remains, dead);
    const done = await this.#adopt(job, remains);
    return () => Promise.resolve(done);
  }

  /** First what cleans up: the tree may stand still for it, and goes on when it is ended. */
  async #endAll(job: Job, attempt: DeadAttempt, dead: WorkerRow): Promise<Remains> {
    return (await this.#endHandler(job, dead)) ?? (await this.#end(attempt));
  }

  async #adopt(job: Job, outlived: Outlived): Promise<Recovered> {
    return (await this.#options.adopt(job, outlived)) ? "adopted" : "left";
  }

  /** All jobs have been seen to before the dead worker's lock is given up, whatever goes wrong with one. */
  async #finish({ row, lock }: DeadWorker, begun: PromiseSettledResult<Rest[]> | undefined): Promise<void> {
    try {
      if (begun?.status !== "fulfilled") throw begun?.reason;
      await this.#settle(row, await allOf(begun.value.map((rest) => rest())));
    } finally {
      lock.release();
    }
  }

  async #settle(dead: WorkerRow, done: readonly Recovered[]): Promise<void> {
    const { store, emit } = this.#options.ports;
    const recovered = done.filter((one) => one === "recovered").length;
    if (recovered > 0) emit({ type: "recovered", worker: dead.id, jobs: recovered });
    // What is unknown is looked at again with the next pass, and needs the slots until then.
    if (done.includes("left")) return;
    await store.write(() => {
      store.workers.unregister(dead.id);
      store.wakeWorkers();
    });
  }

  async #recover(job: Job, remains: Remains, dead: WorkerRow): Promise<Recovered> {
    if (remains.kind === "outlived") return this.#adopt(job, remains);
    if (remains.kind === "gone") return this.#recoverGone(job, remains, dead);
    const since = this.#options.ports.store.attempts.unknownSince(job);
    if (since !== null && this.#options.ports.clock.now() - since >= this.#options.unknownAfterMs) {
      await recordLost(job, { remains: NOTHING_LEFT, left: remains.what, cleaned: null }, this.#options);
      return "recovered";
    }
    await this.#recordUnknown(job, remains.what, since !== null);
    return "left";
  }

  async #recoverGone(job: Job, remains: Gone, dead: WorkerRow): Promise<Recovered> {
    const cleaned = await this.#cleanUp(job, dead);
    // A stop of this worker cut it short: it is left to the next one as it was found.
    if (cleaned?.cleanUp.outcome === "owed" && cleaned !== OWED) return "left";
    await recordLost(job, { remains, left: null, cleaned }, this.#options);
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
    // Its message may be another machine's by now: whoever gets it here again cleans up first.
    if (job.queue !== null) return OWED;
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
      isOurs: () => true,
      lost: null,
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

  async #recordUnknown(job: Job, what: string, isKnownToBe: boolean): Promise<void> {
    if (isKnownToBe) return;
    const { store, clock, emit } = this.#options.ports;
    await store.write(() => store.attempts.unknown(job, what, clock.now(), this.#options.worker));
    emit({ type: "job unknown", job: job.id, what });
  }
}
