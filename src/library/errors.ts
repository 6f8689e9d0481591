import { EXIT, messageOf, ReeveError } from "../errors.ts";
import type { DispatchedJob } from "./dispatched.ts";

/** A job that a worker dispatched did not do what it was to do. */
export class JobFailed extends ReeveError {
  override readonly name = "JobFailed";
  /** The name of the worker that had it. */
  readonly worker: string;
  /** How it ended, and what it came as. */
  readonly job: Omit<DispatchedJob, "error">;

  constructor(worker: string, job: Omit<DispatchedJob, "error">, why: string, hint?: string) {
    const which = job.definition ? `${job.definition} ${job.id}` : job.id;
    super(EXIT.jobFailed, `worker ${worker}: job ${which} failed at attempt ${job.attempt}: ${why}`, hint);
    this.worker = worker;
    this.job = job;
  }
}

/** A worker itself could not go on: its store is broken or was replaced, a queue cannot be reached. */
export class WorkerFailed extends ReeveError {
  override readonly name = "WorkerFailed";
  /** The worker's name. */
  readonly worker: string;

  constructor(worker: string, cause: unknown) {
    const known = cause instanceof ReeveError ? cause : null;
    super(known?.exitCode ?? EXIT.unavailable, `worker ${worker}: ${messageOf(cause)}`, known?.hint, { cause });
    this.worker = worker;
  }
}
