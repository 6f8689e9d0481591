import { statSync } from "node:fs";
import { unavailable } from "../errors.ts";
import type { Database } from "../runtime/port.ts";
import { Attempts } from "./attempts.ts";
import { CleanUps } from "./clean-ups.ts";
import { ChangeFeed, type Changes, type Topic } from "./changes.ts";
import { explain, migrate, StoreDatabase, type Durability } from "./database.ts";
import { Decisions } from "./decisions.ts";
import { Deliveries } from "./deliveries.ts";
import { Dependents } from "./dependents.ts";
import { Forgetting } from "./forgetting.ts";
import { Journal, type JournalOptions } from "./journal.ts";
import { Jobs } from "./jobs.ts";
import type { StoreLocation } from "./location.ts";
import { Outputs } from "./outputs.ts";
import { Overview } from "./overview.ts";
import { Reports } from "./reports.ts";
import { Steering } from "./steering.ts";
import { Revision } from "./revision.ts";
import { Suspension } from "./suspension.ts";
import { Submission } from "./submission.ts";
import { Unseen } from "./unseen.ts";
import { Tallies } from "./tallies.ts";
import { Workers } from "./workers.ts";

export interface StoreOptions extends Omit<JournalOptions, "onCommit"> {
  readonly location: StoreLocation;
  readonly durability: Durability;
  readonly openDatabase: (path: string) => Database;
  /** How other processes learn of changes. */
  readonly changes?: Changes;
}

/**
 * All that is remembered: one SQLite file, and a directory for what is large. Reads are direct; writes go through
 * `write`, which shares one commit among all that is written in a moment.
 */
export class Store {
  readonly location: StoreLocation;
  readonly database: StoreDatabase;
  readonly changes: Changes;
  readonly jobs: Jobs;
  readonly outputs: Outputs;
  readonly decisions: Decisions;
  readonly submission: Submission;
  readonly attempts: Attempts;
  readonly cleanUps: CleanUps;
  readonly steering: Steering;
  readonly suspension: Suspension;
  readonly reports: Reports;
  readonly revision: Revision;
  readonly forgetting: Forgetting;
  readonly deliveries: Deliveries;
  readonly unseen: Unseen;
  readonly workers: Workers;
  readonly overview: Overview;
  readonly tallies: Tallies;
  readonly #journal: Journal;
  readonly #inode: number;
  #ringWorkers = false;

  /** @throws ReeveError when it does not open, with what to do. */
  static open(options: StoreOptions): Store {
    const path = options.location.database;
    try {
      const database = new StoreDatabase(options.openDatabase(path), options.durability, path);
      migrate(database, path);
      database.opened();
      return new Store(database, options);
    } catch (error) {
      throw explain(error, path);
    }
  }

  private constructor(database: StoreDatabase, options: StoreOptions) {
    this.location = options.location;
    this.database = database;
    this.changes = options.changes ?? new ChangeFeed(options.location);
    this.jobs = new Jobs(database);
    this.outputs = new Outputs(database);
    this.decisions = new Decisions(database);
    const dependents = new Dependents(database, this.decisions);
    this.submission = new Submission(database, this.jobs, this.decisions);
    this.cleanUps = new CleanUps(database, this.decisions);
    this.attempts = new Attempts(database, this.decisions, this.outputs, this.cleanUps, dependents);
    this.steering = new Steering(database, this.jobs, this.decisions, dependents);
    this.suspension = new Suspension(database, this.jobs, this.decisions);
    this.reports = new Reports(database);
    this.revision = new Revision(database, this.jobs, this.decisions);
    this.forgetting = new Forgetting(database, options.location, dependents);
    this.deliveries = new Deliveries(database, this.jobs, this.submission, this.steering, this.decisions);
    this.unseen = new Unseen(database, this.decisions, dependents);
    this.workers = new Workers(database);
    this.overview = new Overview(database);
    this.tallies = new Tallies(database);
    this.#journal = new Journal(database, { ...options, onCommit: () => this.#ring() });
    this.#inode = statSync(options.location.database).ino;
  }

  /**
   * Runs `work` in the next shared transaction and gives its value when that is on disk. It may run more than once.
   *
   * @param withinMs for so long it may wait for another write to share its transaction with
   * @throws what SQLite throws; ReeveError via {@link explained} for people.
   */
  write<T>(work: () => T, withinMs = 0): Promise<T> {
    return this.#journal.write(work, withinMs);
  }

  /** Runs reads that must see one moment, also where somebody forgets a job meanwhile. Nothing may be written in it. */
  async reading<T>(work: () => Promise<T>): Promise<T> {
    this.database.run("BEGIN");
    try {
      return await work();
    } finally {
      this.database.run("COMMIT");
    }
  }

  /** Reads that see one moment; together they cost less than each by itself. Nothing may be written in it. */
  atOnce<T>(work: () => T): T {
    this.database.run("BEGIN");
    try {
      return work();
    } finally {
      this.database.run("COMMIT");
    }
  }

  /** Within a transaction: workers are to be woken after its commit. */
  wakeWorkers(): void {
    this.#ringWorkers = true;
  }

  #ring(): void {
    this.changes.ring("jobs");
    if (!this.#ringWorkers) return;
    this.#ringWorkers = false;
    this.changes.ring("workers");
  }

  watch(topic: Topic, callback: () => void): () => void {
    return this.changes.watch(topic, callback);
  }

  /** False when the file was replaced or removed under us: what we write then is lost. */
  isInPlace(): boolean {
    return statSync(this.location.database, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  /** @throws ReeveError when it is not: others may have the jobs that are still ours here. */
  mustBeInPlace(): void {
    if (this.isInPlace()) return;
    throw unavailable(
      `the store ${this.location.database} was replaced or removed while it was being used`,
      "start anew on the store that is there now",
    );
  }

  /** The error for people, with what to do. */
  explained(error: unknown): Error {
    return explain(error, this.location.database, this.database);
  }

  /** What is still waiting to be written is given up. */
  close(): void {
    this.#journal.close();
    this.changes.close();
    this.database.close();
  }
}
