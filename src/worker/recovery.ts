import { rmSync } from "node:fs";
import { messageOf } from "../errors.ts";
import type { DeadAttempt, Remains } from "../process/port.ts";
import type { AttemptEnd, Job, Settlement } from "../store/job.ts";
import type { WorkerRow } from "../store/workers.ts";
import { judge, judgeStuck } from "./ending.ts";
import type { Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";

export interface RecoveryOptions {
  readonly ports: Ports;
  /** The worker that recovers. */
  readonly worker: string;
  readonly planner: Planner;
  /** Milliseconds after which a job of which nothing can be known is given up. */
  readonly unknownAfterMs: number;
}

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
    const others = this.#options.ports.store.workers.all().filter(({ id }) => id !== this.#options.worker);
    await Promise.all(others.map((other) => this.#recoverIfDead(other)));
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
    const left = await this.#recoverAll(jobs, dead);
    if (jobs.length > 0) emit({ type: "recovered", worker: dead.id, jobs: jobs.length - left.filter(Boolean).length });
    // What is unknown is looked at again with the next pass, and needs the slots until then.
    if (left.includes(true)) return;
    await store.write(() => {
      store.workers.unregister(dead.id);
      store.wakeWorkers();
    });
    rmSync(dead.directory, { recursive: true, force: true });
  }

  /** All have been seen to before the dead worker's lock is given up, whatever goes wrong with one. */
  async #recoverAll(jobs: readonly Job[], dead: WorkerRow): Promise<boolean[]> {
    const ends = await Promise.allSettled(jobs.map((job) => this.#recoverJob(job, dead)));
    return ends.map((end) => {
      if (end.status === "rejected") throw end.reason;
      return end.value;
    });
  }

  /** True: nothing can be said of it yet. */
  async #recoverJob(job: Job, dead: WorkerRow): Promise<boolean> {
    const remains = await this.#remains(job, dead);
    if (remains.kind === "running") throw new Error(`job ${job.id} was to be ended, and was not`);
    if (remains.kind === "gone") {
      await this.#recordLost(job, remains, null);
      return false;
    }
    const since = this.#options.ports.store.attempts.unknownSince(job);
    if (since !== null && this.#options.ports.clock.now() - since >= this.#options.unknownAfterMs) {
      await this.#recordLost(job, { ...NOTHING_LEFT, pid: null }, remains.what);
      return false;
    }
    await this.#recordUnknown(job, remains.what, since !== null);
    return true;
  }

  async #remains(job: Job, dead: WorkerRow): Promise<Remains> {
    const { store, processes } = this.#options.ports;
    const attempt = store.attempts.one(job.seq, job.attempts);
    const limits = this.#options.planner.limits(job, store.jobs.inputs(job.seq));
    const remains: DeadAttempt = {
      job: job.id,
      attempt: job.attempts,
      directory: attempt?.directory ?? dead.directory,
      jobDirectory: store.location.job(job.id),
      role: "job",
      limits,
      mayGoOn: false,
      bootId: dead.bootId,
      pidNamespace: dead.pidNamespace,
      workerWasInit: dead.pid === 1,
    };
    try {
      return await processes.recover(remains);
    } catch (error) {
      return { kind: "unknown", what: `its recovery failed: ${messageOf(error)}` };
    }
  }

  async #recordLost(dead: Job, remains: Extract<Remains, { kind: "gone" }>, left: string | null): Promise<void> {
    const { store, clock, emit } = this.#options.ports;
    const recorded = await store.write(() => {
      store.wakeWorkers();
      // An abort may have come while its tree was being ended.
      const job = { ...dead, abortBy: store.jobs.bySeq(dead.seq)?.abortBy ?? null };
      const end = lostEnd(job, remains, clock.now());
      const judged = left === null ? this.#judge(job) : judgeStuck(this.#judge(job), left);
      const settlement = store.attempts.end(job, end, judged, this.#options.worker);
      return settlement && { end, settlement };
    });
    if (recorded) emit({ type: "job ended", job: dead.id, attempt: dead.attempts, ...recorded, ranMs: 0 });
  }

  #judge(job: Job): Settlement {
    const { store, random } = this.#options.ports;
    return judge({
      ending: { kind: "lost" },
      cause: job.abortBy === null ? null : "abort",
      abortBy: job.abortBy,
      job,
      limits: this.#options.planner.limits(job, store.jobs.inputs(job.seq)),
      said: null,
      programMayTurnUp: false,
      random,
    });
  }

  async #recordUnknown(job: Job, what: string, isKnownToBe: boolean): Promise<void> {
    if (isKnownToBe) return;
    const { store, clock, emit } = this.#options.ports;
    await store.write(() => store.attempts.unknown(job, what, clock.now(), this.#options.worker));
    emit({ type: "job unknown", job: job.id, what });
  }
}

const NOTHING_LEFT = {
  kind: "gone",
  exit: null,
  takings: { outputs: [], results: [], progress: null, error: null, warnings: [] },
} as const;

function lostEnd(job: Job, { pid, takings }: Extract<Remains, { kind: "gone" }>, at: number): AttemptEnd {
  return {
    ending: { kind: "lost" },
    cause: job.abortBy === null ? null : "abort",
    endedAt: at,
    // Nobody saw for how long, and the time without a worker is not the job's.
    ranMs: 0,
    pid,
    userMicroseconds: null,
    systemMicroseconds: null,
    peakBytes: null,
    outputs: takings.outputs,
    results: takings.results,
    progress: takings.progress,
  };
}
