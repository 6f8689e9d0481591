import { ATTEMPT_COLUMNS, stoodStill, type Attempt } from "./attempt.ts";
import { ENDED_LIFETIME_MS } from "./lifetimes.ts";
import type { CleanUps } from "./clean-ups.ts";
import type { StoreDatabase } from "./database.ts";
import type { Decisions } from "./decisions.ts";
import type { Dependents } from "./dependents.ts";
import { JOB_COLUMNS, type AttemptEnd, type Job, type Settlement } from "./job.ts";
import { abortedBy, detailOf, exitCodeOf } from "./endings.ts";
import type { Outputs } from "./outputs.ts";
import { standingStill } from "./suspension.ts";

const BEGIN = `INSERT INTO attempts(job, number, worker, directory, message_id, receive_count, started_at)
  VALUES(?, ?, ?, ?, ?, ?, ?)`;

const END = `UPDATE attempts SET ended_at = ?3, pid = coalesce(?4, pid), ending = ?5, exit_code = ?6, signal = ?7,
    cause = ?8, detail = ?9, user_us = ?10, system_us = ?11, peak_bytes = ?12, verdict = ?13, settled_as = ?14,
    ended_by = nullif(?15, worker), suspended_at = NULL,
    suspended_ms = suspended_ms + max(0, ?3 - coalesce(suspended_at, ?3))
  WHERE job = ?1 AND number = ?2 AND ended_at IS NULL`;

const SETTLE = `UPDATE jobs SET phase = ?3, ended_at = ?4, destruction = iif(destruction_kept, destruction, ?5),
    verdict = ?6, error = ?7, available_at = ?8, delayed_by_user = 0, failures = failures + ?9, lost = lost + ?10,
    running_ms = running_ms + ?11, buried_at = ?12, worker = ?13, receipt = ?14,
    suspend_by = NULL, progress = coalesce(?15, progress), progress_message = iif(?15 IS NULL, progress_message, ?16)
  WHERE seq = ?1 AND receipt = ?2 AND phase IN ('EXECUTING', 'SUSPENDED', 'UNKNOWN')`;

export interface Start {
  readonly job: Job;
  readonly worker: string;
  readonly directory: string;
  readonly messageId: string;
  readonly receiveCount: number;
  readonly at: number;
}

/** Starts and ends of attempts. To be called within a transaction. */
export class Attempts {
  readonly #database: StoreDatabase;
  readonly #decisions: Decisions;
  readonly #outputs: Outputs;
  readonly #cleanUps: CleanUps;
  readonly #dependents: Dependents;

  constructor(
    database: StoreDatabase,
    decisions: Decisions,
    outputs: Outputs,
    cleanUps: CleanUps,
    dependents: Dependents,
  ) {
    this.#database = database;
    this.#decisions = decisions;
    this.#outputs = outputs;
    this.#cleanUps = cleanUps;
    this.#dependents = dependents;
  }

  of(job: number): Attempt[] {
    return this.#database.all<Attempt>(`SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE job = ? ORDER BY number`, job);
  }

  one(job: number, number: number): Attempt | undefined {
    return this.#database.get<Attempt>(
      `SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE job = ? AND number = ?`,
      job,
      number,
    );
  }

  /** Recorded before the spawn, so that a start which kills its worker is counted. */
  begin(start: Start): void {
    const { job } = start;
    this.#database
      .statement(BEGIN)
      .run(job.seq, job.attempts, start.worker, start.directory, start.messageId, start.receiveCount, start.at);
  }

  /** What was really run, where a template made it. */
  resolved(job: number, number: number, command: readonly string[], cwd: string): void {
    this.#database.run(
      "UPDATE attempts SET command = ?3, cwd = ?4 WHERE job = ?1 AND number = ?2",
      job,
      number,
      JSON.stringify(command),
      cwd,
    );
  }

  /** For the eyes of whoever looks at a running job. */
  running(job: number, number: number, pid: number): void {
    this.#database.run("UPDATE attempts SET pid = ?3 WHERE job = ?1 AND number = ?2", job, number, pid);
  }

  /**
   * Records ending, verdict and what they make of the job, all at once, and gives what was recorded. Null when the job
   * is not ours any more: then nothing is changed.
   */
  end(job: Job, end: AttemptEnd, judged: Settlement, by: string): Settlement | null {
    const settlement = this.#orAborted(job, judged);
    if (!this.#settle(job, end, settlement)) return null;
    if (end.cleanUp) this.#cleanUps.ended(job.seq, job.attempts, end.cleanUp, end.endedAt, by);
    this.#recordEnd(job, end, settlement, by);
    this.#outputs.replace(job.seq, job.attempts, end.outputs, end.results);
    this.#ended(job.seq, settlement.phase, end.endedAt);
    return settlement;
  }

  /**
   * The job goes on with another worker, under a receipt of which the one that it had knows nothing. Null when it is
   * not what it was, or the worker has just ended.
   */
  adopt(job: Job, phase: "EXECUTING" | "SUSPENDED", worker: string, at: number): Job | null {
    const changed = this.#database.run(
      `UPDATE jobs SET worker = ?3, receipt = ?4, phase = ?5, error = iif(phase = 'UNKNOWN', NULL, error),
          suspend_by = nullif(suspend_by, ?6)
        WHERE seq = ?1 AND receipt = ?2 AND phase IN ('EXECUTING', 'SUSPENDED', 'UNKNOWN')
          AND EXISTS (SELECT 1 FROM workers WHERE id = ?3)`,
      job.seq,
      job.receipt,
      worker,
      nextReceipt(job.receipt),
      phase,
      // The one that it had stands still no more.
      standingStill(job.worker ?? ""),
    );
    if (changed === 0) return null;
    this.#decisions.add(job.seq, at, "adopted", worker, `attempt ${job.attempts} outlived worker ${job.worker}`);
    return this.#database.get<Job>(`SELECT ${JOB_COLUMNS} FROM jobs WHERE seq = ?`, job.seq) ?? null;
  }

  /** Nobody can say whether it still runs; it stays its worker's until somebody can. */
  unknown(job: Job, what: string, at: number, by: string): void {
    const error = JSON.stringify({ message: what, type: "transient" });
    const changed = this.#database.run(
      `UPDATE jobs SET phase = 'UNKNOWN', error = ?3
        WHERE seq = ?1 AND receipt = ?2 AND phase IN ('EXECUTING', 'SUSPENDED')`,
      job.seq,
      job.receipt,
      error,
    );
    if (changed > 0) this.#decisions.add(job.seq, at, "UNKNOWN", by, what);
  }

  /** When that was decided; null: it was not. */
  unknownSince(job: Job): number | null {
    if (job.phase !== "UNKNOWN") return null;
    const row = this.#database.get<{ at: number | null }>(
      "SELECT max(at) AS at FROM decisions WHERE job = ? AND what = 'UNKNOWN'",
      job.seq,
    );
    return row?.at ?? null;
  }

  /** Ends an attempt that no process was started for, by its verdict alone. */
  settleUnrun(job: Job, judged: Settlement, at: number, by: string): void {
    const settlement = this.#orAborted(job, judged);
    this.#settle(job, { endedAt: at, progress: null }, settlement);
    this.#database.run(
      `UPDATE attempts SET ended_at = ?3, verdict = ?4, settled_as = ?5, ended_by = nullif(?6, worker)
        WHERE job = ?1 AND number = ?2`,
      job.seq,
      job.attempts,
      at,
      settlement.verdict.kind,
      settlement.phase,
      by,
    );
    this.#ended(job.seq, settlement.phase, at);
  }

  #ended(job: number, phase: Settlement["phase"], at: number): void {
    if (phase !== "QUEUED" && phase !== "UNKNOWN") this.#dependents.ended(job, phase, at);
  }

  /** An abort that came while the attempt was being judged is not undone by putting the job back. */
  #orAborted(job: Job, settlement: Settlement): Settlement {
    if (settlement.phase !== "QUEUED") return settlement;
    // A clean-up that is owed comes first.
    const row = this.#database.get<{ by: string | null }>(
      "SELECT abort_by AS by FROM jobs WHERE seq = ? AND owed IS NULL",
      job.seq,
    );
    return row?.by ? abortedBy(row.by) : settlement;
  }

  #settle(job: Job, end: Pick<AttemptEnd, "endedAt" | "ranMs" | "progress">, settlement: Settlement): boolean {
    const { phase, verdict, counts, error } = settlement;
    const at = end.endedAt;
    const open = phase === "QUEUED" || phase === "UNKNOWN";
    // Of a lost lease it is the message that is unknown, and nothing runs any more.
    const mayRun = phase === "UNKNOWN" && job.queue === null;
    const ran = end.ranMs ?? this.#ranMs(job, at);
    const changed = this.#database
      .statement(SETTLE)
      .run(
        job.seq,
        job.receipt,
        phase,
        open ? null : at,
        open ? null : at + ENDED_LIFETIME_MS,
        verdict.kind,
        error && JSON.stringify(error),
        verdict.kind === "release" && verdict.delayMs > 0 ? at + verdict.delayMs : null,
        counts === "failure" ? 1 : 0,
        counts === "lost" ? 1 : 0,
        ran,
        verdict.kind === "bury" ? at : null,
        mayRun ? job.worker : null,
        mayRun ? job.receipt : null,
        end.progress?.fraction ?? null,
        end.progress?.message ?? null,
      );
    return changed === 1;
  }

  /** What the recorded times say. */
  #ranMs(job: Job, at: number): number {
    const attempt = this.one(job.seq, job.attempts);
    return attempt ? Math.max(0, at - attempt.startedAt - stoodStill(attempt, at)) : 0;
  }

  #recordEnd(job: Job, end: AttemptEnd, settlement: Settlement, by: string): void {
    const { ending } = end;
    this.#database
      .statement(END)
      .run(
        job.seq,
        job.attempts,
        end.endedAt,
        end.pid,
        ending.kind,
        exitCodeOf(ending),
        ending.kind === "signalled" ? ending.signal : null,
        end.cause,
        detailOf(ending),
        end.userMicroseconds,
        end.systemMicroseconds,
        end.peakBytes,
        settlement.verdict.kind,
        settlement.phase,
        by,
      );
  }
}

/** A receipt of the same message, as many times adopted as it says. */
function nextReceipt(receipt: string | null): string {
  const [message = "", times = "0"] = (receipt ?? "").split("+");
  return `${message}+${Number(times) + 1}`;
}
