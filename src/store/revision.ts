import { EXIT, nothingThere, ReeveError } from "../errors.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { Inputs, Job, Parameter } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Phase } from "./phases.ts";

/** Phases in which nothing of a job has been decided that its limits have a say in. */
const WAITING: ReadonlySet<Phase> = new Set(["PENDING", "HELD", "QUEUED"]);

/** What clients change of a job that they made. To be called within a transaction. */
export class Revision {
  readonly #database: StoreDatabase;
  readonly #jobs: Jobs;
  readonly #decisions: Decisions;

  constructor(database: StoreDatabase, jobs: Jobs, decisions: Decisions) {
    this.#database = database;
    this.#jobs = jobs;
    this.#decisions = decisions;
  }

  /** @throws ReeveError for a job that is not PENDING any more. */
  parameters(seq: number, change: (now: Inputs) => readonly Parameter[], at: number, by: string): void {
    const { phase } = this.#get(seq);
    if (phase !== "PENDING") throw refusal(`the job is ${phase}, and parameters change only while it is PENDING`);
    const parameters = change(this.#jobs.inputs(seq));
    const json = parameters.length > 0 ? JSON.stringify(parameters) : null;
    this.#database.run("UPDATE inputs SET parameters = ? WHERE job = ?", json, seq);
    this.#decisions.add(seq, at, "parameters changed", by);
  }

  /** Seconds; 0: unlimited. @throws ReeveError for a job that has been started. */
  executionDuration(seq: number, seconds: number, at: number, by: string): void {
    const { phase } = this.#get(seq);
    if (!WAITING.has(phase)) throw refusal(`the job is ${phase}: how long it may run was settled when it was started`);
    this.#database.run("UPDATE jobs SET execution_duration = ? WHERE seq = ?", seconds, seq);
    this.#decisions.add(seq, at, "execution duration changed", by, `${seconds} s`);
  }

  /** Milliseconds since 1970, kept whatever becomes of the job. @throws ReeveError for one that is ARCHIVED. */
  destruction(seq: number, destruction: number, at: number, by: string): void {
    if (this.#get(seq).phase === "ARCHIVED") throw refusal("the job is ARCHIVED: its destruction is over");
    this.#database.run("UPDATE jobs SET destruction = ?, destruction_kept = 1 WHERE seq = ?", destruction, seq);
    this.#decisions.add(seq, at, "destruction changed", by, new Date(destruction).toISOString());
  }

  #get(seq: number): Job {
    const job = this.#jobs.bySeq(seq);
    if (!job) throw nothingThere("the job has been deleted meanwhile");
    return job;
  }
}

const refusal = (what: string): ReeveError => new ReeveError(EXIT.usage, what);
