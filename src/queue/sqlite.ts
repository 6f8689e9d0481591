import type { Settlement, Verdict } from "../store/job.ts";
import { JOB_COLUMNS, type Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { LeaseLost, OWN, type Message, type Queue, type Request } from "./port.ts";

// Without statistics SQLite would choose the index on the phase, and walk all queued jobs: the right one is named.
const READY = "phase = 'QUEUED' AND available_at IS NULL AND waiting = 0";

/** What is to be destroyed is begun only to clean up after it; the parameter is the time. */
const STAYS = (now: string): string => `(destruction IS NULL OR destruction > ${now} OR owed IS NOT NULL)`;

/** Of no definition that is paused here; the parameter is their names as JSON. */
const WANTED = (without: string): string =>
  `(definition IS NULL OR definition NOT IN (SELECT value FROM json_each(${without})))`;

const CLAIM = (chosen: string): string => `UPDATE jobs SET phase = 'EXECUTING', worker = ?1, attempts = attempts + 1,
    receipt = id || '.' || (attempts + 1), started_at = coalesce(started_at, ?2),
    progress = NULL, progress_message = NULL,
    destruction = iif(destruction_kept, destruction, NULL)
  WHERE seq IN (${chosen}) RETURNING ${JOB_COLUMNS}`;

// A bare parameter as the limit would make SQLite prepare the statement anew at each call, hence the sum.
/** By priority, then age. A suspect (it may have killed its worker) is not among them: it is claimed alone. */
const CLAIM_READY = CLAIM(
  `SELECT seq FROM jobs INDEXED BY jobs_ready WHERE ${READY} AND lost < 2 AND ${STAYS("?2")}
    ORDER BY priority DESC, seq LIMIT ?3 + 0`,
);

const CLAIM_SOME = CLAIM(`SELECT seq FROM jobs INDEXED BY jobs_ready WHERE ${READY} AND lost < 2
  AND ${STAYS("?2")} AND ${WANTED("?4")} ORDER BY priority DESC, seq LIMIT ?3 + 0`);

const CLAIM_ONE = CLAIM("?3");

const SUSPECT = `SELECT seq FROM jobs INDEXED BY jobs_suspect WHERE ${READY} AND lost >= 2 AND ${WANTED("?1")}
  AND ${STAYS("?2")} ORDER BY seq LIMIT 1`;

const PROMOTE =
  "UPDATE jobs INDEXED BY jobs_delayed SET available_at = NULL WHERE available_at <= ? AND phase = 'QUEUED'";

const UNFINISHED = `SELECT 1 WHERE EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_ready WHERE ${READY})
  OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_delayed WHERE available_at IS NOT NULL AND delayed_by_user = 0 AND phase = 'QUEUED' AND waiting = 0)
  OR EXISTS (SELECT 1 FROM jobs WHERE phase = 'EXECUTING' AND queue IS NULL
    AND worker NOT IN (SELECT id FROM workers WHERE concurrency = 0))
  OR EXISTS (SELECT 1 FROM jobs WHERE phase = 'SUSPENDED' AND queue IS NULL)`;

/**
 * The embedded queue: the store's own jobs. A lease is no span of time but the worker's kernel lock, so there is
 * nothing to extend, and a job changes hands only when its worker is dead and its tree is gone (recovery).
 */
export class SqliteQueue implements Queue {
  readonly name = "sqlite";
  readonly terms = null;
  readonly #store: Store;
  readonly #worker: string;
  readonly #now: () => number;

  constructor(store: Store, worker: string, now: () => number) {
    this.#store = store;
    this.#worker = worker;
    this.#now = now;
  }

  receive<T>(request: () => Request, admit: (message: Message, index: number) => T): Promise<T[]> {
    return this.#store.write(() =>
      this.#claim(request(), this.#now()).map((job, index) => admit(toMessage(job), index)),
    );
  }

  #claim(request: Request, now: number): Job[] {
    if (request.max <= 0) return [];
    const { database, steering } = this.#store;
    if (steering.expire(now) > 0) this.#store.wakeWorkers();
    database.statement(PROMOTE).run(now);
    const suspect = database.statement<{ seq: number }>(SUSPECT).get(JSON.stringify(request.without), now);
    // Taking nothing more until it can be claimed keeps a stream of other work from starving it.
    if (suspect) return request.idle ? database.all<Job>(CLAIM_ONE, this.#worker, now, suspect.seq) : [];
    return this.#claimReady(request, now).toSorted((a, b) => b.priority - a.priority || a.seq - b.seq);
  }

  #claimReady(request: Request, now: number): Job[] {
    const { database } = this.#store;
    if (request.without.length === 0) return database.statement<Job>(CLAIM_READY).all(this.#worker, now, request.max);
    return database.all<Job>(CLAIM_SOME, this.#worker, now, request.max, JSON.stringify(request.without));
  }

  async extend(receipt: string): Promise<number> {
    if (!this.#jobOf(receipt)) throw new LeaseLost(receipt);
    return Number.POSITIVE_INFINITY;
  }

  acknowledge(receipt: string): Promise<void> {
    return this.#settle(receipt, { kind: "acknowledge" }, "COMPLETED");
  }

  release(receipt: string, delayMs: number): Promise<void> {
    return this.#settle(receipt, { kind: "release", delayMs }, "QUEUED");
  }

  bury(receipt: string, reason: string): Promise<void> {
    return this.#settle(receipt, { kind: "bury", reason }, "ERROR");
  }

  #settle(receipt: string, verdict: Verdict, phase: Settlement["phase"]): Promise<void> {
    return this.#store.write(() => {
      const job = this.#jobOf(receipt);
      if (!job) throw new LeaseLost(receipt);
      const error = verdict.kind === "bury" ? ({ message: verdict.reason, type: "fatal" } as const) : null;
      this.#store.attempts.settleUnrun(job, { phase, verdict, counts: "nothing", error }, this.#now(), this.#worker);
    });
  }

  /** The job that this receipt still holds for this worker. */
  #jobOf(receipt: string): Job | undefined {
    return this.#store.database.get<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ? AND receipt = ? AND worker = ?`,
      receipt.slice(0, receipt.lastIndexOf(".")),
      receipt,
      this.#worker,
    );
  }

  nextDue(): number | null {
    return (
      this.#store.database.get<{ at: number | null }>(
        "SELECT min(available_at) AS at FROM jobs INDEXED BY jobs_delayed WHERE phase = 'QUEUED' AND available_at IS NOT NULL",
      )?.at ?? null
    );
  }

  isDrained(): boolean {
    return this.#store.database.get(UNFINISHED) === undefined;
  }
}

function toMessage(job: Job): Message {
  return { id: job.id, receipt: job.receipt ?? job.id, receiveCount: job.attempts, job, ...OWN };
}
