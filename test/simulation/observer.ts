import { runtime } from "../../src/runtime/index.ts";
import type { Database, Statement } from "../../src/runtime/port.ts";
import type { Attempt } from "../../src/store/attempt.ts";
import type { Phase } from "../../src/store/phases.ts";

/** A job as it is on disk. */
export interface Row {
  readonly seq: number;
  readonly id: string;
  readonly phase: Phase;
  readonly attempts: number;
  readonly failures: number;
  readonly lost: number;
  readonly waiting: number;
  readonly worker: string | null;
  readonly receipt: string | null;
  readonly abortBy: string | null;
  readonly verdict: string | null;
  readonly error: string | null;
  readonly endedAt: number | null;
  readonly destruction: number | null;
  readonly availableAt: number | null;
  readonly delayedByUser: number;
  readonly runningMs: number;
  readonly retriedAs: string | null;
}

const ROWS = `SELECT seq, id, phase, attempts, failures, lost, waiting, worker, receipt, abort_by AS abortBy, verdict,
  error, ended_at AS endedAt, destruction, available_at AS availableAt, delayed_by_user AS delayedByUser,
  running_ms AS runningMs, retried_as AS retriedAs FROM jobs`;

export type AttemptRow = Pick<
  Attempt,
  "number" | "worker" | "startedAt" | "endedAt" | "ending" | "exitCode" | "signal" | "cause" | "detail" | "verdict"
>;

const ATTEMPTS = `SELECT number, worker, started_at AS startedAt, ended_at AS endedAt, ending, exit_code AS exitCode,
  signal, cause, detail, verdict FROM attempts WHERE job = ? ORDER BY number`;

const UNMET = `SELECT other.id, other.phase FROM dependencies LEFT JOIN jobs AS other ON other.seq = dependencies.after
  WHERE dependencies.job = ? AND dependencies.met = 0`;

/** What a job waits for; phase null: that job is not there any more. */
interface Unmet {
  readonly id: string | null;
  readonly phase: Phase | null;
}

/** Looks at the file through a connection of its own: what it sees is committed. */
export class Observer {
  readonly #database: Database;
  readonly #version: Statement<{ data_version: number }>;
  #seen = 0;
  readonly #rows: Statement<Row>;
  readonly #row: Statement<Row>;
  readonly #attempts: Statement<AttemptRow>;

  constructor(path: string) {
    this.#database = runtime.openDatabase(path, { create: false });
    this.#database.exec("PRAGMA query_only = ON");
    this.#version = this.#database.prepare("PRAGMA data_version");
    this.#rows = this.#database.prepare(`${ROWS} ORDER BY seq`);
    this.#row = this.#database.prepare(`${ROWS} WHERE id = ?`);
    this.#attempts = this.#database.prepare(ATTEMPTS);
  }

  /** Whether others have written anything since it was asked the last time. */
  isNews(): boolean {
    const version = this.#version.get()?.data_version ?? 0;
    const isNews = version !== this.#seen;
    this.#seen = version;
    return isNews;
  }

  rows(): Row[] {
    return this.#rows.all();
  }

  row(id: string): Row | undefined {
    return this.#row.get(id);
  }

  attempts(job: number): AttemptRow[] {
    return this.#attempts.all(job);
  }

  /** The attempts that wrote something. */
  outputs(job: number): number[] {
    const outputs = this.#database.prepare<{ attempt: number }>("SELECT attempt FROM outputs WHERE job = ?");
    return outputs.all(job).map(({ attempt }) => attempt);
  }

  /** The phase that a job was in when it was removed; null: it left no tombstone. */
  tombstone(id: string): Phase | null {
    const grave = this.#database.prepare<{ phase: Phase }>("SELECT phase FROM tombstones WHERE id = ?").get(id);
    return grave?.phase ?? null;
  }

  unmet(job: number): Unmet[] {
    return this.#database.prepare<Unmet>(UNMET).all(job);
  }

  count(table: "workers" | "removals"): number {
    return this.#database.prepare(`SELECT 1 FROM ${table}`).all().length;
  }

  close(): void {
    this.#database.close();
  }
}
