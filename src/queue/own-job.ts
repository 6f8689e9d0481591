import type { Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import type { NewJob } from "../store/submission.ts";
import { OWN, type Message, type Queue, type Request } from "./port.ts";

/**
 * The one job of a process that was started for it. It is made as it is received, so that no worker ever finds it
 * queued, and no queue stands behind it that would have to be told.
 */
export class OwnJob implements Queue {
  readonly name = "none";
  readonly terms = null;
  readonly #store: Store;
  readonly #job: NewJob;
  readonly #worker: string;
  readonly #now: () => number;
  #isGiven = false;

  constructor(store: Store, job: NewJob, worker: string, now: () => number) {
    this.#store = store;
    this.#job = job;
    this.#worker = worker;
    this.#now = now;
  }

  async receive<T>(request: () => Request, admit: (message: Message, index: number) => T): Promise<T[]> {
    if (this.#isGiven) return [];
    const received = await this.#store.write(() => (request().max <= 0 ? [] : [admit(this.#begin(), 0)]));
    this.#isGiven = received.length > 0;
    return received;
  }

  #begin(): Message {
    const job: Job = this.#store.submission.begin(this.#job, this.#worker, this.#now());
    return { id: job.id, receipt: job.receipt ?? job.id, receiveCount: job.attempts, job, ...OWN };
  }

  async extend(): Promise<number> {
    return Number.POSITIVE_INFINITY;
  }

  async acknowledge(): Promise<void> {}

  async release(): Promise<void> {}

  async bury(): Promise<void> {}

  nextDue(): number | null {
    return null;
  }

  isDrained(): boolean {
    return this.#isGiven;
  }
}
