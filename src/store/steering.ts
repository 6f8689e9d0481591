import { ENDED_LIFETIME_MS, UNSTARTED_LIFETIME_MS } from "./lifetimes.ts";
import { nothingThere, ReeveError, EXIT } from "../errors.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { Dependents } from "./dependents.ts";
import type { Job, JobError } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import { isFinal, isHeldByWorker, phasesBefore, type Phase } from "./phases.ts";

/** What people and programs ask of jobs from outside. To be called within a transaction. */
export class Steering {
  readonly #database: StoreDatabase;
  readonly #jobs: Jobs;
  readonly #decisions: Decisions;
  readonly #dependents: Dependents;

  constructor(database: StoreDatabase, jobs: Jobs, decisions: Decisions, dependents: Dependents) {
    this.#database = database;
    this.#jobs = jobs;
    this.#decisions = decisions;
    this.#dependents = dependents;
  }

  /**
   * UWS PHASE=RUN. Nothing happens to a job that is queued or running; what it waited for does not matter any more.
   *
   * @throws ReeveError for a job that has ended.
   */
  start(seq: number, at: number, by: string): Job {
    const job = this.#get(seq);
    if (isFinal(job.phase)) {
      throw new ReeveError(
        EXIT.usage,
        `job ${job.id} is ${job.phase} and cannot be started`,
        `\`reeve retry ${job.id}\` makes a new job of it`,
      );
    }
    if (job.phase !== "PENDING" && job.phase !== "HELD") return job;
    this.#dependents.drop(seq);
    this.#database.run(
      "UPDATE jobs SET held_by = NULL, destruction = iif(destruction_kept, destruction, NULL) WHERE seq = ?",
      seq,
    );
    return this.#change(job, "QUEUED", at, by);
  }

  /**
   * Keeps a job from being started until it is started by hand.
   *
   * @throws ReeveError for one that runs, or has ended.
   */
  hold(seq: number, at: number, by: string): Job {
    const job = this.#get(seq);
    if (isHeldByWorker(job.phase) || isFinal(job.phase)) throw unholdable(job);
    if (job.queue !== null) throw unholdableElsewhere(job, job.queue);
    this.#database.run(
      "UPDATE jobs SET held_by = coalesce(held_by, ?2), destruction = coalesce(destruction, ?3) WHERE seq = ?1",
      seq,
      by,
      at + UNSTARTED_LIFETIME_MS,
    );
    return job.phase === "HELD" ? this.#get(seq) : this.#change(job, "HELD", at, by);
  }

  /**
   * UWS PHASE=ABORT. A job that no worker has is ABORTED at once; of one that runs it is asked, and its worker does it.
   * Nothing happens to a job that has ended.
   */
  abort(seq: number, at: number, by: string): Job {
    const job = this.#get(seq);
    if (isFinal(job.phase)) return job;
    const message = `aborted by ${by} before it was started${job.attempts > 0 ? " again" : ""}`;
    const mustWait = isHeldByWorker(job.phase) || job.owed !== null;
    if (!mustWait) return this.#abortNow(job, at, by, { message, type: "fatal", cause: "abort" });
    if (job.abortBy !== null) return job;
    this.#database.run("UPDATE jobs SET abort_by = ?, available_at = NULL WHERE seq = ?", by, seq);
    this.#decisions.add(seq, at, "abort asked", by);
    // The next start cleans up after an earlier attempt, and ends it then: nothing may keep it from that.
    return job.phase === "HELD" ? this.start(seq, at, by) : this.#get(seq);
  }

  #abortNow(job: Job, at: number, by: string, error: JobError): Job {
    this.#database.run(
      `UPDATE jobs SET ended_at = ?2, error = ?3, verdict = 'acknowledge', available_at = NULL,
        destruction = iif(destruction_kept, destruction, ?4) WHERE seq = ?1`,
      job.seq,
      at,
      JSON.stringify(error),
      at + ENDED_LIFETIME_MS,
    );
    const aborted = this.#change(job, "ABORTED", at, by);
    this.#dependents.ended(job.seq, "ABORTED", at);
    return aborted;
  }

  /** A job is to be destroyed as soon as it has ended; what still runs is aborted first. */
  destroy(seq: number, at: number, by: string): Job {
    this.#database.run("UPDATE jobs SET destruction = ?, destruction_kept = 1 WHERE seq = ?", at, seq);
    return this.abort(seq, at, by);
  }

  /** A new job names the old one, which leaves the dead letters; what waited for the old one waits for the new. */
  retried(old: Job, replacement: string, at: number, by: string): void {
    const job = this.#jobs.byId(replacement);
    if (!job) throw new Error(`job ${replacement} is not in the store`);
    this.#database.run("UPDATE jobs SET retried_as = ?2, buried_at = NULL WHERE seq = ?1", old.seq, replacement);
    this.#decisions.add(old.seq, at, "retried", by, `as job ${replacement}`);
    this.#dependents.repoint(old.seq, job.seq, at);
  }

  /** Jobs that were not started in time are ABORTED; gives how many. */
  expire(at: number): number {
    const expired = this.#database
      .statement<{ seq: number }>(
        "SELECT seq FROM jobs INDEXED BY jobs_expiry WHERE expires_at <= ? AND phase = 'QUEUED' AND attempts = 0",
      )
      .all(at);
    const error = { message: "it expired before it was started", type: "transient", cause: "expired" } as const;
    for (const { seq } of expired) this.#abortNow(this.#get(seq), at, "its expiry", error);
    return expired.length;
  }

  #change(job: Job, phase: Phase, at: number, by: string): Job {
    const from = phasesBefore(phase).map((one) => `'${one}'`);
    const changed = this.#database.run(
      `UPDATE jobs SET phase = ? WHERE seq = ? AND phase IN (${from.join(", ")})`,
      phase,
      job.seq,
    );
    if (changed === 0) throw new Error(`job ${job.id} cannot become ${phase} from ${job.phase}`);
    this.#decisions.add(job.seq, at, phase, by);
    return this.#get(job.seq);
  }

  #get(seq: number): Job {
    const job = this.#jobs.bySeq(seq);
    if (!job) throw nothingThere("the job has been deleted meanwhile");
    return job;
  }
}

const unholdableElsewhere = ({ id }: Job, queue: string): ReeveError =>
  new ReeveError(
    EXIT.usage,
    `job ${id} waits in ${queue}, and another host may run it: it cannot be held here`,
    `\`reeve abort ${id}\` has its message deleted when it comes here again`,
  );

function unholdable({ id, phase }: Job): ReeveError {
  const hint = phase === "EXECUTING" ? `\`reeve suspend ${id}\` makes it stand still` : undefined;
  return new ReeveError(EXIT.usage, `job ${id} is ${phase}, and only a job that waits can be held`, hint);
}
