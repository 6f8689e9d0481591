import type { StoreDatabase } from "./database.ts";
import type { Job } from "./job.ts";

/** A delivery of a message that is being run. */
export interface NewerReceipt {
  readonly receipt: string;
  /** This delivery counted; 0: the queue does not count. */
  readonly receiveCount: number;
  /** Put back, it would not be delivered again. */
  readonly isLast: boolean;
}

/** What has come again while it is run, for the worker that runs it. To be called within a transaction. */
export class NewerReceipts {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  handOver(job: Pick<Job, "seq" | "worker">, { receipt, receiveCount, isLast }: NewerReceipt): void {
    this.#database.run(
      `INSERT INTO newer_receipts(job, receipt, receive_count, is_last, worker) VALUES(?, ?, ?, ?, ?)
        ON CONFLICT(job) DO UPDATE SET receipt = excluded.receipt, receive_count = excluded.receive_count,
          is_last = excluded.is_last, worker = excluded.worker WHERE excluded.receive_count >= receive_count`,
      job.seq,
      receipt,
      receiveCount,
      isLast ? 1 : 0,
      job.worker,
    );
  }

  /** What has been given to this worker since it last looked: the newest of each job that it runs, by the job's row. */
  of(worker: string): ReadonlyMap<number, NewerReceipt> {
    const rows = this.#database.all<{ job: number; receipt: string; receiveCount: number; isLast: number }>(
      "SELECT job, receipt, receive_count AS receiveCount, is_last AS isLast FROM newer_receipts WHERE worker = ?",
      worker,
    );
    return new Map(rows.map(({ job, isLast, ...newer }) => [job, { ...newer, isLast: isLast === 1 }]));
  }

  /** Its worker has it, or needs it no more. */
  handedOver(job: number): void {
    this.#database.run("DELETE FROM newer_receipts WHERE job = ?", job);
  }
}
