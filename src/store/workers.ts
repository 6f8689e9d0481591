import type { StoreDatabase } from "./database.ts";
import { JOB_COLUMNS, type Job } from "./job.ts";

/** A process that runs jobs, as it registered itself. Whether it lives, only the lock on its directory tells. */
export interface WorkerRow {
  readonly id: string;
  readonly directory: string;
  readonly startedAt: number;
  readonly host: string;
  readonly pid: number;
  /** Changes with each boot: its processes cannot outlive it. */
  readonly bootId: string;
  /** Pids mean something only within one. */
  readonly pidNamespace: string;
  readonly version: string;
  /** Jobs that it takes at once; 0: it takes none of the queue's, and runs one of its own. */
  readonly concurrency: number;
  /** What keeps it from its queue, in words; null: it is well. */
  readonly trouble: string | null;
  /** When a queue elsewhere last answered it; null: it has none, or none did yet. */
  readonly polledAt: number | null;
}

const COLUMNS = `id, directory, started_at AS startedAt, host, pid, boot_id AS bootId,
  pid_namespace AS pidNamespace, version, concurrency, trouble, polled_at AS polledAt`;

// Jobs in these phases are few, whatever the store holds: an index on the worker would cost each job two writes.
const HELD = "INDEXED BY jobs_phase WHERE phase IN ('EXECUTING', 'SUSPENDED', 'UNKNOWN')";

export class Workers {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  register(worker: Omit<WorkerRow, "trouble" | "polledAt">): void {
    this.#database.run(
      `INSERT INTO workers(id, directory, started_at, host, pid, boot_id, pid_namespace, version, concurrency)
        VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      worker.id,
      worker.directory,
      worker.startedAt,
      worker.host,
      worker.pid,
      worker.bootId,
      worker.pidNamespace,
      worker.version,
      worker.concurrency,
    );
  }

  /** How many jobs all of them take at once, those included that nobody has found dead yet. */
  slots(): number {
    const row = this.#database.get<{ slots: number }>("SELECT coalesce(sum(concurrency), 0) AS slots FROM workers");
    return row?.slots ?? 0;
  }

  /** A queue elsewhere has answered it. */
  polled(id: string, at: number): void {
    this.#database.run("UPDATE workers SET polled_at = ?2 WHERE id = ?1", id, at);
  }

  /** For whoever asks how it is. */
  ill(id: string, trouble: string | null): void {
    this.#database.run("UPDATE workers SET trouble = ?2 WHERE id = ?1", id, trouble);
  }

  /** Not as long as it has a job: without the row nobody would see to that any more. Gives whether it is gone. */
  unregister(id: string): boolean {
    const hasJobs = `EXISTS (SELECT 1 FROM jobs ${HELD} AND worker = ?1)`;
    return this.#database.run(`DELETE FROM workers WHERE id = ?1 AND NOT ${hasJobs}`, id) > 0;
  }

  all(): WorkerRow[] {
    return this.#database.all<WorkerRow>(`SELECT ${COLUMNS} FROM workers ORDER BY started_at`);
  }

  one(id: string): WorkerRow | undefined {
    return this.#database.get<WorkerRow>(`SELECT ${COLUMNS} FROM workers WHERE id = ?`, id);
  }

  /** Whether a job that has not ended has its files below this directory, whoever runs it. */
  isInUse(directory: string): boolean {
    const below = `${directory}/`;
    const used = `SELECT 1 FROM jobs ${HELD} AND EXISTS (SELECT 1 FROM attempts
      WHERE job = jobs.seq AND number = jobs.attempts AND substr(directory, 1, length(?1)) = ?1)`;
    return this.#database.get(used, below) !== undefined;
  }

  /** The jobs that it has. */
  jobsOf(id: string): Job[] {
    return this.#database.all<Job>(`SELECT ${JOB_COLUMNS} FROM jobs ${HELD} AND worker = ? ORDER BY seq`, id);
  }

  /** Those of them whose abort somebody asked for. */
  abortsOf(id: string): Job[] {
    return this.#database.all<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs ${HELD} AND worker = ? AND abort_by IS NOT NULL ORDER BY seq`,
      id,
    );
  }
}
