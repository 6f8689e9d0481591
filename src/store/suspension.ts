import { EXIT, nothingThere, ReeveError } from "../errors.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { Job } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import { isFinal, isHeldByWorker, type Phase } from "./phases.ts";

/** A job that a worker has, and whether somebody wants it to stand still. */
export type Steered = Pick<Job, "seq" | "phase" | "suspendBy">;

/** Who asks for the suspension of all jobs of a worker that is to stand still: nobody but that worker lifts it. */
export const standingStill = (worker: string): string => `SIGTSTP to ${worker}`;

/** Jobs that stand still: who asked for it, and what their workers made of it. To be called within a transaction. */
export class Suspension {
  readonly #database: StoreDatabase;
  readonly #jobs: Jobs;
  readonly #decisions: Decisions;

  constructor(database: StoreDatabase, jobs: Jobs, decisions: Decisions) {
    this.#database = database;
    this.#jobs = jobs;
    this.#decisions = decisions;
  }

  /**
   * Asks the job's worker to have it stand still. Nothing happens to a job that does, or is to, already.
   *
   * @throws ReeveError for a job that does not run.
   */
  ask(seq: number, at: number, by: string): Job {
    const job = this.#get(seq);
    if (job.phase !== "EXECUTING" && job.phase !== "SUSPENDED") throw refusal(job);
    if (job.abortBy !== null) throw beingAborted(job);
    if (job.suspendBy !== null) return job;
    this.#database.run("UPDATE jobs SET suspend_by = ?2 WHERE seq = ?1", seq, by);
    this.#decisions.add(seq, at, "suspend asked", by);
    return this.#get(seq);
  }

  /**
   * Asks the job's worker to let it go on. Nothing happens to a job that is about to.
   *
   * @throws ReeveError for a job that does not stand still, and is not to.
   */
  lift(seq: number, at: number, by: string): Job {
    const job = this.#get(seq);
    if (job.suspendBy === null && job.phase === "SUSPENDED") return job;
    if (job.suspendBy === null) throw new ReeveError(EXIT.usage, `job ${job.id} is ${job.phase}, not suspended`);
    this.#database.run("UPDATE jobs SET suspend_by = NULL WHERE seq = ?", seq);
    this.#decisions.add(seq, at, "resume asked", by);
    return this.#get(seq);
  }

  /** The jobs of a worker that stand still, or are to. */
  of(worker: string): Steered[] {
    return this.#database.all<Steered>(
      `SELECT seq, phase, suspend_by AS suspendBy FROM jobs INDEXED BY jobs_phase
        WHERE phase IN ('EXECUTING', 'SUSPENDED') AND worker = ? AND (suspend_by IS NOT NULL OR phase = 'SUSPENDED')`,
      worker,
    );
  }

  /** All of it stands still. */
  begun(job: Job, at: number, by: string): void {
    if (!this.#change(job, "EXECUTING", "SUSPENDED", at, by)) return;
    this.#database.run(
      "UPDATE attempts SET suspended_at = ?3 WHERE job = ?1 AND number = ?2",
      job.seq,
      job.attempts,
      at,
    );
  }

  /** It goes on. */
  ended(job: Job, at: number, by: string): void {
    if (!this.#change(job, "SUSPENDED", "EXECUTING", at, by)) return;
    this.#database.run(
      `UPDATE attempts SET suspended_ms = suspended_ms + max(0, ?3 - coalesce(suspended_at, ?3)), suspended_at = NULL
        WHERE job = ?1 AND number = ?2`,
      job.seq,
      job.attempts,
      at,
    );
  }

  #change(job: Job, from: Phase, to: Phase, at: number, by: string): boolean {
    const changed = this.#database.run(
      "UPDATE jobs SET phase = ?4 WHERE seq = ?1 AND receipt = ?2 AND phase = ?3",
      job.seq,
      job.receipt,
      from,
      to,
    );
    if (changed > 0) this.#decisions.add(job.seq, at, to, by);
    return changed > 0;
  }

  #get(seq: number): Job {
    const job = this.#jobs.bySeq(seq);
    if (!job) throw nothingThere("the job has been deleted meanwhile");
    return job;
  }
}

function refusal({ id, phase }: Job): ReeveError {
  const what = `job ${id} is ${phase}, and only a job that runs can be suspended`;
  return new ReeveError(EXIT.usage, what, refusalHint(id, phase));
}

function refusalHint(id: string, phase: Phase): string | undefined {
  if (isFinal(phase)) return `\`reeve retry ${id}\` runs it again`;
  return isHeldByWorker(phase) ? undefined : `\`reeve hold ${id}\` keeps it from being started`;
}

const beingAborted = ({ id, abortBy }: Job): ReeveError =>
  new ReeveError(EXIT.usage, `job ${id} is being aborted, as ${abortBy} asked`);
