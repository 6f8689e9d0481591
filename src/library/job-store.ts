import { systemClock } from "../clock.ts";
import { newJob, type Surroundings } from "../cli/submission/build.ts";
import { nothingThere } from "../errors.ts";
import type { Durability } from "../store/database.ts";
import type { Decision } from "../store/decisions.ts";
import type { Job } from "../store/job.ts";
import { chooseDirectory, StoreLocation } from "../store/location.ts";
import { newId } from "../store/new-id.ts";
import type { Phase } from "../store/phases.ts";
import { removeJobs } from "../store/removing.ts";
import { retryJob } from "../store/retrying.ts";
import type { Store } from "../store/store.ts";
import { onChange, waitForEnd } from "../store/waiting.ts";
import { readDocument, type JobDocument } from "../uws/document.ts";
import { storedBytes } from "./bytes.ts";
import { allDefinitions, type GivenDefinitions, type KnownJobs } from "./definitions.ts";
import { explained, openStore, type Environment } from "./opening.ts";
import { milliseconds, readRequest, type SubmitRequest } from "./request.ts";
import type { Duration } from "./settings.ts";

/** How a store is opened. Workers of it have its definitions, unless they are given others. */
export interface JobStoreOptions extends GivenDefinitions {
  /** `"full"`: what was written survives a power cut. `"normal"`: it survives a crash of the program. */
  readonly durability?: Durability | undefined;
  /** Who asks, for the record; `"library"`. */
  readonly by?: string | undefined;
  /** Where submitted commands get PATH, HOME and their like from; this process's own. */
  readonly environment?: Environment | undefined;
}

/** Which jobs are listed; all that is left out does not matter. */
export interface ListFilter {
  /** None: all but ARCHIVED. */
  readonly phases?: readonly Phase[] | undefined;
  /** Only jobs created later. */
  readonly after?: Date | undefined;
  readonly owner?: string | undefined;
  readonly definition?: string | undefined;
  /** Only the newest so many; 50. */
  readonly last?: number | undefined;
}

interface Asking {
  readonly by: string;
  readonly environment: Environment;
}

/** What workers of a store have of it. */
export interface Shared {
  readonly jobs: KnownJobs;
  readonly durability: Durability;
}

export let sharedBy: (store: JobStore) => Shared;

/**
 * All jobs of one store, which other programs and the command line may have open, too. Ids may be given as any unique
 * beginning of one.
 */
export class JobStore implements AsyncDisposable, Disposable {
  readonly #store: Store;
  readonly #asking: Asking;
  readonly #shared: Shared;

  static {
    sharedBy = (store) => store.#shared;
  }

  private constructor(store: Store, shared: Shared, asking: Asking) {
    this.#store = store;
    this.#shared = shared;
    this.#asking = asking;
  }

  /**
   * Opens the store in a directory, which is made if it is not there; without one, the store that the command line
   * uses (`REEVE_STORE`, else the user's own).
   *
   * @throws ReeveError when it cannot be opened, or a definition is wrong
   */
  static async open(directory?: string, options: JobStoreOptions = {}): Promise<JobStore> {
    const { by = "library", environment = process.env, durability = "full" } = options;
    const jobs = await allDefinitions(options, environment);
    const location = new StoreLocation(chooseDirectory(directory, environment, null, process.getuid?.()));
    const store = openStore(location, { environment, durability, patience: "fail" });
    return new JobStore(store, { jobs, durability }, { by, environment });
  }

  /** Where it is: an absolute path. */
  get directory(): string {
    return this.#store.location.directory;
  }

  /**
   * Queues a job. Kept when it is on disk.
   *
   * @returns its id
   * @throws ReeveError (usage) for what could not be run
   */
  async submit(request: SubmitRequest): Promise<string> {
    const [id = ""] = await this.submitAll([request]);
    return id;
  }

  /**
   * Queues jobs, all of them or none.
   *
   * @returns their ids, in order
   * @throws ReeveError (usage) for the first that could not be run
   */
  async submitAll(requests: readonly SubmitRequest[]): Promise<string[]> {
    const now = systemClock.now();
    const around: Surroundings = {
      definitions: this.#shared.jobs.definitions,
      environment: this.#asking.environment,
      cwd: process.cwd(),
      now,
      newId,
      idOf: (text) => this.#job(text).id,
    };
    const read = await Promise.all(requests.map(readRequest));
    const jobs = read.map((request) => newJob(request, around));
    return this.#write(() => {
      this.#store.wakeWorkers();
      return this.#store.submission.submit(jobs, now);
    });
  }

  /** What is known of a job, under the names of UWS 1.1; undefined: there is none, or no more. */
  job(id: string): JobDocument | undefined {
    const job = this.#store.jobs.byId(id);
    return job && readDocument(this.#store, job);
  }

  /** The newest first. */
  list({ phases = [], after, owner, definition, last = 50 }: ListFilter = {}): JobDocument[] {
    const filter = { phases, after: after?.getTime() ?? null, owner: owner ?? null, last };
    const found = this.#store.jobs.list(definition === undefined ? filter : { ...filter, definition });
    return found.map((job) => readDocument(this.#store, job));
  }

  /** What was decided of a job, by whom and why, in order. @throws ReeveError when there is none */
  why(id: string): readonly Decision[] {
    return this.#store.decisions.of(this.#job(id).seq);
  }

  /**
   * The bytes of a result of the job's, or of `stdout`, `stderr` or `log` of its last attempt; what was cut out of its
   * middle is not in it. Undefined: there is none of that name.
   *
   * @throws ReeveError when there is no such job
   */
  result(id: string, name: string): Uint8Array | undefined {
    return storedBytes(this.#store, this.#job(id), name);
  }

  /** Queues a job that is PENDING or HELD. @throws ReeveError for one that has ended */
  async start(id: string): Promise<void> {
    await this.#steer(id, ({ seq }, now, by) => this.#store.steering.start(seq, now, by));
  }

  /** Keeps a job from being started until {@link start}. @throws ReeveError for one that runs, or has ended */
  async hold(id: string): Promise<void> {
    await this.#steer(id, ({ seq }, now, by) => this.#store.steering.hold(seq, now, by));
  }

  /** Ends a job for good; one that runs has ended when {@link wait} says so. Nothing happens to one that has ended. */
  async abort(id: string): Promise<void> {
    await this.#steer(id, ({ seq }, now, by) => this.#store.steering.abort(seq, now, by));
  }

  /** Has a running job stand still, with all that it started. @throws ReeveError for one that does not run */
  async suspend(id: string): Promise<void> {
    await this.#steer(id, ({ seq }, now, by) => this.#store.suspension.ask(seq, now, by));
  }

  /** Lets a suspended job go on. @throws ReeveError for one that is not */
  async resume(id: string): Promise<void> {
    await this.#steer(id, ({ seq }, now, by) => this.#store.suspension.lift(seq, now, by));
  }

  /** Runs an ended job again, as a new one. @returns the new job's id @throws ReeveError for one that has not ended */
  async retry(id: string): Promise<string> {
    const { seq } = this.#job(id);
    return this.#explaining(() => retryJob({ store: this.#store, clock: systemClock, by: this.#asking.by }, seq));
  }

  /** Forgets a job and its files; one that runs is aborted, and forgotten when it has ended. */
  async delete(id: string): Promise<void> {
    const removal = { by: this.#asking.by, at: systemClock.now() };
    await this.#explaining(() => removeJobs(this.#store, [this.#job(id)], removal));
  }

  /**
   * Waits until a job has ended.
   *
   * @returns what is known of it then; null: it has not ended within `timeout`, and goes on
   * @throws ReeveError when there is no such job, or it is deleted meanwhile
   */
  async wait(id: string, { timeout }: { readonly timeout?: Duration } = {}): Promise<JobDocument | null> {
    const job = this.#job(id);
    const ended = await waitForEnd(this.#store, job, milliseconds("timeout", timeout));
    if (ended?.kind === "gone") throw nothingThere(`job ${job.id} was deleted while it was waited for`);
    return ended && readDocument(this.#store, ended.job);
  }

  /** Calls back after changes of jobs, whoever made them, and now and then. @returns the way to stop */
  watch(callback: () => void): () => void {
    return onChange(this.#store, callback);
  }

  /** Workers that were made of it go on: they have it open by themselves. */
  close(): void {
    this.#store.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #job(id: string): Job {
    return this.#store.jobs.byPrefix(id);
  }

  async #steer(id: string, steer: (job: Job, now: number, by: string) => Job): Promise<void> {
    const job = this.#job(id);
    await this.#write(() => {
      this.#store.wakeWorkers();
      return steer(job, systemClock.now(), this.#asking.by);
    });
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#explaining(() => this.#store.write(work));
  }

  async #explaining<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw explained(this.#store, error);
    }
  }
}
