import { nothingThere } from "../errors.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import { UNSTARTED_LIFETIME_MS } from "./lifetimes.ts";
import { JOB_COLUMNS, type Context, type Inputs, type Job } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { FinalPhase, Phase } from "./phases.ts";

export interface NewJob extends Inputs {
  readonly id: string;
  readonly definition: string | null;
  readonly runId: string | null;
  readonly owner: string | null;
  readonly priority: number;
  readonly executionDuration: number;
  /** When it is due, in milliseconds since 1970; null: now. */
  readonly availableAt: number | null;
  readonly expiresAt: number | null;
  /** The client's own; null: the default. */
  readonly destruction: number | null;
  /** Made PENDING, to be started by hand. */
  readonly hold: boolean;
  /** Ids of jobs that must be COMPLETED first. */
  readonly after: readonly string[];
  /** No second job of this key while one has not been started. */
  readonly dedupeKey: string | null;
  readonly retryOf: string | null;
}

const INSERT_JOB = `INSERT INTO jobs(id, phase, definition, run_id, owner, priority, created_at, destruction,
    destruction_kept, execution_duration, available_at, delayed_by_user, expires_at, waiting, dedupe_key, retry_of)
  VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`;

const USE_CONTEXT = `INSERT INTO contexts(uses, content) VALUES(1, ?)
  ON CONFLICT(content) DO UPDATE SET uses = uses + 1 RETURNING id`;

const INSERT_INPUTS = `INSERT INTO inputs(job, context, command, parameters, attributes, body, body_path, body_size)
  VALUES(?, ?, ?, ?, ?, ?, ?, ?)`;

const BEGIN = `UPDATE jobs SET phase = 'EXECUTING', worker = ?2, attempts = 1, receipt = id || '.1', started_at = ?3
  WHERE seq = ?1 RETURNING ${JOB_COLUMNS}`;

const DELIVER = `UPDATE jobs SET phase = 'EXECUTING', worker = ?2, attempts = 1, receipt = id || '.1', started_at = ?3,
    waiting = 1, queue = ?4, message_id = ?5
  WHERE seq = ?1 RETURNING ${JOB_COLUMNS}`;

const UNSTARTED = `SELECT id FROM jobs WHERE dedupe_key = ? AND attempts = 0
  AND phase IN ('PENDING', 'QUEUED', 'HELD') LIMIT 1`;

/** Makes jobs. To be called within a transaction. */
export class Submission {
  readonly #database: StoreDatabase;
  readonly #jobs: Jobs;
  readonly #decisions: Decisions;

  constructor(database: StoreDatabase, jobs: Jobs, decisions: Decisions) {
    this.#database = database;
    this.#jobs = jobs;
    this.#decisions = decisions;
  }

  /** The ids, in order; for a job whose key is taken the id of the one that has it. */
  submit(jobs: readonly NewJob[], now: number): string[] {
    return jobs.map((job) => this.#submitOne(job, now));
  }

  /** Makes a job that this worker has from the beginning: nobody else sees it queued. Its start is still to be recorded. */
  begin(job: NewJob, worker: string, now: number): Job {
    const begun = this.#database.get<Job>(BEGIN, this.#insert(job, now), worker, now);
    if (!begun) throw new Error(`job ${job.id} was not recorded`);
    return begun;
  }

  /** The same for what came as a message of a queue elsewhere, whose delivery it waits for whenever it is put back. */
  deliver(job: NewJob, from: { readonly queue: string; readonly messageId: string }, worker: string, now: number): Job {
    const begun = this.#database.get<Job>(DELIVER, this.#insert(job, now), worker, now, from.queue, from.messageId);
    if (!begun) throw new Error(`job ${job.id} was not recorded`);
    return begun;
  }

  #submitOne(job: NewJob, now: number): string {
    const same = job.dedupeKey === null ? undefined : this.#database.get<{ id: string }>(UNSTARTED, job.dedupeKey);
    if (same) return same.id;
    const seq = this.#insert(job, now);
    if (job.after.length > 0) this.#dependOn(seq, job, now);
    return job.id;
  }

  #insert(job: NewJob, now: number): number {
    const unstarted = job.hold ? now + UNSTARTED_LIFETIME_MS : null;
    const row = this.#database
      .statement<{ seq: number }>(INSERT_JOB)
      .get(
        job.id,
        job.hold ? "PENDING" : "QUEUED",
        job.definition,
        job.runId,
        job.owner,
        job.priority,
        now,
        job.destruction ?? unstarted,
        job.destruction === null ? 0 : 1,
        job.executionDuration,
        job.availableAt,
        job.availableAt === null ? 0 : 1,
        job.expiresAt,
        0,
        job.dedupeKey,
        job.retryOf,
      );
    if (!row) throw new Error(`job ${job.id} was not recorded`);
    this.#insertInputs(row.seq, job);
    return row.seq;
  }

  #insertInputs(seq: number, inputs: Inputs): void {
    const { body } = inputs;
    const file = body?.kind === "file" ? body : null;
    this.#database
      .statement(INSERT_INPUTS)
      .run(
        seq,
        this.#useContext(inputs.context),
        inputs.command && JSON.stringify(inputs.command),
        inputs.parameters.length > 0 ? JSON.stringify(inputs.parameters) : null,
        Object.keys(inputs.attributes).length > 0 ? JSON.stringify(inputs.attributes) : null,
        body?.kind === "inline" ? body.bytes : null,
        file && file.path,
        file && file.size,
      );
  }

  #useContext(context: Context): number {
    const row = this.#database.get<{ id: number }>(USE_CONTEXT, JSON.stringify(context));
    if (!row) throw new Error("the context of a job was not recorded");
    return row.id;
  }

  #dependOn(seq: number, job: NewJob, now: number): void {
    const failed = job.after.filter((id) => this.#addDependency(seq, id) === "failed");
    if (failed.length === 0) return;
    this.#database.run(
      "UPDATE jobs SET phase = 'HELD', destruction = coalesce(destruction, ?) WHERE seq = ? AND phase = 'QUEUED'",
      now + UNSTARTED_LIFETIME_MS,
      seq,
    );
    this.#decisions.add(seq, now, "held", "submit", `it waits for ${failed.join(", ")}, which did not complete`);
  }

  #addDependency(seq: number, id: string): "met" | "waiting" | "failed" {
    const other: Job | undefined = this.#jobs.byId(id);
    if (!other) throw nothingThere(`no job ${id} to wait for`, "--after takes the id of a job in this store");
    const state = dependencyState(other.phase);
    this.#database.run(
      "INSERT OR IGNORE INTO dependencies(job, after, met) VALUES(?, ?, ?)",
      seq,
      other.seq,
      state === "met" ? 1 : 0,
    );
    this.#database.run(
      "UPDATE jobs SET waiting = (SELECT count(*) FROM dependencies WHERE job = ?1 AND met = 0) WHERE seq = ?1",
      seq,
    );
    return state;
  }
}

function dependencyState(phase: Phase): "met" | "waiting" | "failed" {
  if (phase === "COMPLETED") return "met";
  const failed: readonly Phase[] = ["ERROR", "ABORTED", "ARCHIVED"] satisfies readonly FinalPhase[];
  return failed.includes(phase) ? "failed" : "waiting";
}
