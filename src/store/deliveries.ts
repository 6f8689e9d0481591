import type { Body } from "../config/message-body.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import { JOB_COLUMNS, type Job, type JobError } from "./job.ts";
import { unreachable } from "../errors.ts";
import type { Jobs } from "./jobs.ts";
import { NewerReceipts, type NewerReceipt } from "./newer-receipts.ts";
import { isFinal } from "./phases.ts";
import type { Steering } from "./steering.ts";
import type { NewJob, Submission } from "./submission.ts";

/** A message that a queue elsewhere has delivered. */
export interface Arrival extends NewerReceipt {
  /** The queue's URL. */
  readonly queue: string;
  readonly messageId: string;
  /** The id of its job, where it carries one. */
  readonly jobId: string | null;
}

/** What is to be done with it. */
export type Disposition =
  /** It is this worker's now, and its start is still to be recorded. */
  | { readonly kind: "run"; readonly job: Job }
  /** It is being run: whoever does has been given the newer receipt. */
  | { readonly kind: "running"; readonly id: string }
  /** It has been run: this is what the queue was told, or was to be told. */
  | { readonly kind: "acknowledge"; readonly id: string }
  | { readonly kind: "bury"; readonly id: string; readonly reason: string; readonly isCopied: boolean }
  /** It cannot be run now. */
  | { readonly kind: "keep back"; readonly id: string; readonly why: string };

/** Makes the job of a message that is new. */
export type MakeJob = (id: string, retryOf: string | null) => NewJob;

export interface Claimant {
  readonly worker: string;
  readonly now: number;
  /** For a job whose id is taken. */
  readonly newId: () => string;
}

/** Why a message that came again is not run. */
const AGAIN: Readonly<Record<Exclude<Disposition["kind"], "run">, string>> = {
  running: "it is being run: the newer receipt counts now",
  acknowledge: "it has been run: its message is deleted",
  bury: "it was given up: its message goes to the dead letters",
  "keep back": "it cannot be run now",
};

const CLAIM = `UPDATE jobs SET phase = 'EXECUTING', worker = ?2, attempts = attempts + 1,
    receipt = id || '.' || (attempts + 1), started_at = coalesce(started_at, ?3), available_at = NULL,
    progress = NULL, progress_message = NULL,
    destruction = iif(destruction_kept, destruction, NULL)
  WHERE seq = ?1 AND (phase = 'QUEUED' OR (phase = 'UNKNOWN' AND worker IS NULL)) RETURNING ${JOB_COLUMNS}`;

interface Grave {
  readonly id: string;
  readonly verdict: string | null;
  readonly copied: number;
}

/** Messages of queues elsewhere, and the jobs that they are about. To be called within a transaction. */
export class Deliveries {
  readonly newerReceipts: NewerReceipts;
  readonly #database: StoreDatabase;
  readonly #jobs: Jobs;
  readonly #submission: Submission;
  readonly #steering: Steering;
  readonly #decisions: Decisions;

  constructor(database: StoreDatabase, jobs: Jobs, submission: Submission, steering: Steering, decisions: Decisions) {
    this.newerReceipts = new NewerReceipts(database);
    this.#database = database;
    this.#jobs = jobs;
    this.#submission = submission;
    this.#steering = steering;
    this.#decisions = decisions;
  }

  /** A message that comes again is the same job; the same job under another message id is a redrive, hence a new one. */
  take(arrival: Arrival, make: MakeJob, claimant: Claimant): Disposition {
    const same = this.byMessage(arrival);
    if (same) return this.#noted(same, this.#again(same, arrival, make, claimant), claimant);
    const grave = this.#graveOf(arrival.messageId);
    const told = grave && toldBefore(grave.verdict, grave, "it was given up before");
    if (told) return told;
    return { kind: "run", job: this.#begin(arrival, make, this.#earlier(arrival, grave), claimant) };
  }

  #noted(job: Job, what: Disposition, { worker, now }: Claimant): Disposition {
    if (what.kind !== "run") this.#decisions.add(job.seq, now, "delivered again", worker, AGAIN[what.kind]);
    return what;
  }

  /** The body of the job that this message was when it came before; null: it did not, or had none. */
  bodyOf(queue: string, messageId: string): Body {
    const job = this.byMessage({ queue, messageId });
    return job ? this.#jobs.inputs(job.seq).body : null;
  }

  /** The newest job that a message was. */
  byMessage({ messageId, queue }: Pick<Arrival, "messageId" | "queue">): Job | undefined {
    return this.#database.get<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs INDEXED BY jobs_message WHERE message_id = ? AND queue = ?
        ORDER BY seq DESC LIMIT 1`,
      messageId,
      queue,
    );
  }

  #graveOf(messageId: string): Grave | undefined {
    return this.#database.get<Grave>(
      "SELECT id, verdict, copied FROM tombstones INDEXED BY tombstones_message WHERE message_id = ? LIMIT 1",
      messageId,
    );
  }

  #again(job: Job, arrival: Arrival, make: MakeJob, claimant: Claimant): Disposition {
    const { id, phase } = job;
    switch (phase) {
      case "QUEUED":
        return this.#claim(job, claimant);
      case "UNKNOWN":
        if (job.worker === null) return this.#claim(job, claimant);
        return { kind: "keep back", id, why: "what is left of its last run may still be running" };
      case "EXECUTING":
      case "SUSPENDED":
        this.newerReceipts.handOver(job, arrival);
        return { kind: "running", id };
      case "PENDING":
      case "HELD":
        return { kind: "keep back", id, why: `it is ${phase}` };
      case "COMPLETED":
      case "ERROR":
      case "ABORTED":
      case "ARCHIVED":
        // After an end of which no queue was to be told it is new work.
        return (
          toldBefore(job.verdict, job, reasonOf(job)) ?? {
            kind: "run",
            job: this.#begin(arrival, make, job.id, claimant),
          }
        );
      default:
        return unreachable(phase);
    }
  }

  #claim(job: Job, { worker, now }: Claimant): Disposition {
    const claimed = this.#database.get<Job>(CLAIM, job.seq, worker, now);
    if (!claimed) throw new Error(`job ${job.id} cannot be claimed from ${job.phase}`);
    this.newerReceipts.handedOver(job.seq);
    return { kind: "run", job: claimed };
  }

  /** The job that this message was before it was put into the queue anew; null: none that is known. */
  #earlier({ jobId }: Arrival, grave: Grave | undefined): string | null {
    const id = jobId ?? grave?.id ?? null;
    if (id === null) return null;
    const job = this.#jobs.byId(id);
    return job?.queue || this.#isForgotten(id) ? id : null;
  }

  #isForgotten(id: string): boolean {
    return this.#database.get("SELECT 1 FROM tombstones WHERE id = ?", id) !== undefined;
  }

  #begin(arrival: Arrival, make: MakeJob, retryOf: string | null, claimant: Claimant): Job {
    const { worker, now, newId } = claimant;
    const wanted = [arrival.jobId, arrival.messageId].filter((id) => id !== null);
    const id = wanted.find((one) => isUsable(one) && !this.#isTaken(one)) ?? newId();
    const job = this.#submission.deliver(make(id, retryOf), arrival, worker, now);
    const old = retryOf === null ? undefined : this.#jobs.byId(retryOf);
    if (old && isFinal(old.phase)) this.#steering.retried(old, id, now, worker);
    return job;
  }

  #isTaken(id: string): boolean {
    return this.#jobs.byId(id) !== undefined || this.#isForgotten(id);
  }

  /** The dead letters have a copy of it, and its message is still to be deleted. */
  copied(seq: number): void {
    this.#database.run("UPDATE jobs SET copied = 1 WHERE seq = ?", seq);
  }

  /** Whoever looks at the job learns what else went wrong. */
  addToError(seq: number, what: string): void {
    const error = this.#jobs.bySeq(seq)?.error ?? null;
    if (error === null) return;
    const known = JSON.parse(error) as JobError;
    const added: JobError = { ...known, message: `${known.message}; ${what}` };
    this.#database.run("UPDATE jobs SET error = ?2 WHERE seq = ?1", seq, JSON.stringify(added));
  }
}

/** Null: no queue was to be told of it. */
function toldBefore(verdict: string | null, { id, copied }: Pick<Grave, "id" | "copied">, reason: string) {
  if (verdict === "acknowledge") return { kind: "acknowledge", id } as const;
  return verdict === "bury" ? ({ kind: "bury", id, reason, isCopied: copied === 1 } as const) : null;
}

function reasonOf({ error }: Job): string {
  return error === null ? "it was given up before" : (JSON.parse(error) as JobError).message;
}

/** It becomes the name of a directory, and people type it. */
const isUsable = (id: string): boolean => /^[a-z0-9][a-z0-9-]{7,63}$/.test(id);
