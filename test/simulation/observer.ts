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
  readonly suspendBy: string | null;
  /** The attempt after which nobody has cleaned up yet. */
  readonly owed: number | null;
}

const ROWS = `SELECT seq, id, phase, attempts, failures, lost, waiting, worker, receipt, abort_by AS abortBy, verdict,
  error, ended_at AS endedAt, destruction, available_at AS availableAt, delayed_by_user AS delayedByUser,
  running_ms AS runningMs, retried_as AS retriedAs, suspend_by AS suspendBy, owed FROM jobs`;

/** All of a row that may change, as one text: that is read much sooner. */
const DIGESTS = `SELECT id, json_array(phase, attempts, failures, lost, waiting, worker, receipt, abort_by, verdict, error,
  ended_at, destruction, available_at, running_ms, retried_as, suspend_by, owed) AS digest FROM jobs ORDER BY seq`;

export type AttemptRow = Pick<
  Attempt,
  | "number"
  | "worker"
  | "startedAt"
  | "endedAt"
  | "ending"
  | "exitCode"
  | "signal"
  | "cause"
  | "detail"
  | "verdict"
  | "exitHandler"
  | "cleanUp"
  | "cleanUpTries"
>;

const ATTEMPTS = `SELECT number, worker, started_at AS startedAt, ended_at AS endedAt, ending, exit_code AS exitCode,
  signal, cause, detail, verdict, exit_handler AS exitHandler, cleanup AS cleanUp,
  cleanup_tries AS cleanUpTries FROM attempts WHERE job = ? ORDER BY number`;

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
  readonly #digests: Statement<{ id: string; digest: string }>;
  #known = new Map<string, string>();
  readonly #rows: Statement<Row>;
  readonly #row: Statement<Row>;
  readonly #attempts: Statement<AttemptRow>;

  constructor(path: string) {
    this.#database = runtime.openDatabase(path, { create: false });
    this.#database.exec("PRAGMA query_only = ON");
    this.#version = this.#database.prepare("PRAGMA data_version");
    this.#digests = this.#database.prepare(DIGESTS);
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

  /** The jobs that are there, and those of them that changed since it was asked the last time. */
  changes(): { readonly rows: Row[]; readonly there: ReadonlySet<string> } {
    const digests = this.#digests.all();
    const rows = digests.flatMap(({ id, digest }) => (this.#known.get(id) === digest ? [] : (this.row(id) ?? [])));
    this.#known = new Map(digests.map(({ id, digest }) => [id, digest]));
    return { rows, there: new Set(this.#known.keys()) };
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
