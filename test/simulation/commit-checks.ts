import { isFinal, isHeldByWorker, phasesBefore, type Phase } from "../../src/store/phases.ts";
import type { CleanUpChecks } from "./clean-up-checks.ts";
import type { JobRecord } from "./ledger.ts";
import type { Life } from "./life.ts";
import type { AttemptRow, Row } from "./observer.ts";
import type { SuspensionChecks } from "./suspension-checks.ts";
import type { TruthChecks } from "./truth-checks.ts";
import type { Watched } from "./watched.ts";

const FIRST_PHASES: ReadonlySet<Phase> = new Set(["PENDING", "QUEUED", "HELD", "ABORTED"]);

/** A ring may be lost, then the next look for the dead finds it; that one may wait for what cannot be killed. */
const ABORT_WITHIN_MS = 60_000;

/** What else is to be looked at after a commit. */
export interface OtherChecks {
  readonly cleanUps: CleanUpChecks;
  readonly suspensions: SuspensionChecks;
  readonly truth: TruthChecks;
}

/** Compares what is on disk after a commit with what was there before it. */
export class CommitChecks {
  readonly #watched: Watched;
  readonly #others: OtherChecks;

  constructor(watched: Watched, others: OtherChecks) {
    this.#watched = watched;
    this.#others = others;
  }

  committed(by: Life): void {
    const { ledger, observer } = this.#watched;
    if (!observer.isNews()) return;
    const { rows, there } = observer.changes();
    const changed: { record: JobRecord; before: Row | null; row: Row }[] = [];
    for (const row of rows) {
      const record = ledger.get(row.id);
      if (!record) this.#violate("nobody makes up jobs", row.id);
      else {
        changed.push({ record, before: record.row, row });
        record.row = row;
        if (row.retriedAs !== null) record.retriedAs.add(row.retriedAs);
      }
    }
    if (there.size < [...ledger.jobs.values()].filter(({ row, gone }) => row !== null && !gone).length) {
      this.#removed(there);
    }
    // Claims look at what else became of the same commit, hence after all rows are known.
    for (const { record, before, row } of changed) this.#changed(by, record, before, row);
  }

  #violate(invariant: string, detail: string): void {
    this.#watched.world.violate(invariant, detail);
  }

  #check(holds: boolean, invariant: string, row: Row, detail = ""): void {
    this.#watched.world.check(holds, invariant, () => `job ${row.id.slice(0, 6)} (${row.phase}) ${detail}`);
  }

  #changed(by: Life, record: JobRecord, before: Row | null, row: Row): void {
    const from = before?.phase ?? "nothing";
    by.say(
      `${row.id.slice(0, 6)}: ${from} → ${row.phase} #${row.attempts} f${row.failures} l${row.lost} w${row.waiting}`,
    );
    if (!before) {
      this.#check(FIRST_PHASES.has(row.phase), "a job begins unstarted", row);
      return;
    }
    this.#checkPhases(before, row);
    this.#checkOwner(by, before, row);
    this.#checkBudgets(record, row);
    this.#others.suspensions.changed(record, before, row);
    this.#others.cleanUps.changed(record, row);
    const attempts = this.#watched.observer.attempts(row.seq);
    this.#check(attempts.length === row.attempts, "every attempt has a row", row, `${attempts.length} rows`);
    if (row.attempts > before.attempts) this.#begun(record, before, row, attempts.at(-1));
    if (isHeldByWorker(before.phase) && (!isHeldByWorker(row.phase) || row.attempts > before.attempts)) {
      this.#ended(by, record, before, row, attempts);
    }
    if (row.abortBy !== null && record.abortSeenAt === null) record.abortSeenAt = this.#watched.world.now;
  }

  #checkPhases(before: Row, row: Row): void {
    if (isFinal(before.phase)) {
      const stays = row.phase === before.phase || row.phase === "ARCHIVED";
      this.#check(stays, "a final phase stays", row, `was ${before.phase}`);
      const [was, is] = [describeEnd(before), describeEnd(row)];
      this.#check(was === is, "what has ended does not change", row, `${was} ${is}`);
    }
    const again = row.attempts === before.attempts + 1 && isHeldByWorker(before.phase) && row.phase === "EXECUTING";
    const may = row.phase === before.phase || again || phasesBefore(row.phase).includes(before.phase);
    this.#check(may, "phases follow the table", row, `was ${before.phase}`);
    const next = row.attempts === before.attempts || row.attempts === before.attempts + 1;
    this.#check(next, "attempts are counted one by one", row, `${before.attempts} → ${row.attempts}`);
  }

  #checkOwner(by: Life, before: Row, row: Row): void {
    const isHeld = isHeldByWorker(row.phase);
    this.#check((row.worker !== null) === isHeld, "a job has a worker while it is run", row, `worker ${row.worker}`);
    this.#check((row.receipt !== null) === isHeld, "a job has a receipt while it is run", row);
    const owner = before.worker === null ? undefined : this.#watched.workers.get(before.worker)?.life;
    const isTaken = before.worker !== null && before.receipt !== row.receipt;
    if (!owner || !isTaken || owner === by) return;
    this.#check(
      owner.isDead,
      "nobody touches the jobs of a worker that lives",
      row,
      `${by.name} took from ${owner.name}`,
    );
  }

  #checkBudgets({ limits }: JobRecord, row: Row): void {
    this.#check(row.failures <= (limits.maxAttempts ?? 1), "failures keep to the budget", row, `${row.failures}`);
    this.#check(row.lost <= limits.maxLost, "lost starts keep to the budget", row, `${row.lost}`);
    this.#check(row.failures + row.lost <= row.attempts, "no attempt counts twice", row);
  }

  #begun(record: JobRecord, before: Row, row: Row, attempt: AttemptRow | undefined): void {
    const { world, ledger } = this.#watched;
    const { spec, limits } = record;
    this.#check(attempt?.number === row.attempts && attempt.endedAt === null, "a start is recorded", row);
    record.claimed.set(row.attempts, world.now);
    const isOwed = row.owed !== null;
    this.#check(
      isOwed || row.failures < (limits.maxAttempts ?? 1),
      "no start beyond the failures allowed",
      row,
      `${row.failures}`,
    );
    this.#check(isOwed || row.lost < limits.maxLost, "no start beyond the losses allowed", row, `${row.lost}`);
    const isToEnd = before.abortBy !== null || record.abortTold;
    this.#check(isOwed || !isToEnd, "what is to be aborted is not started again", row);
    const isInTime = row.attempts > 1 || (spec.expiresAt ?? Infinity) > (attempt?.startedAt ?? 0);
    this.#check(isInTime, "expired jobs are not started", row);
    this.#check((spec.availableAt ?? 0) <= world.latestWall, "no start before the delay is over", row);
    const isReady = record.startedByHand || spec.after.every((id) => ledger.hasCompleted(id));
    this.#check(isReady, "no start before what it waits for is COMPLETED", row, spec.after.join(" "));
    this.#check(!spec.hold || record.startedByHand, "what is held waits for its start", row);
  }

  #ended(by: Life, record: JobRecord, before: Row, row: Row, attempts: readonly AttemptRow[]): void {
    const ended = attempts.find(({ number }) => number === before.attempts);
    this.#check(!!ended && ended.endedAt !== null && ended.ending !== null, "an ended attempt has an ending", row);
    if (!ended) return;
    by.say(`${row.id.slice(0, 6)}: #${ended.number} ${ended.ending} ${ended.exitCode ?? ended.signal} ${ended.cause}`);
    if (ended.ending !== "lost") record.ranMs += record.lastRanMs;
    record.lastRanMs = 0;
    this.#check(!this.#runs(row.id) || isStuck(row), "the end is told when the tree is gone", row);
    this.#others.truth.ended({ by, record, before, row, attempt: ended });
    if (before.abortBy !== null) this.#checkAbort(record, before, row);
    if (before.abortBy !== null && ended.ending === "lost" && record.limits.onLost === "release") {
      const isOther = row.owed !== null || (row.phase === "ERROR" && ended.cleanUp === "failed");
      this.#check(row.phase === "ABORTED" || isOther, "an abort survives its worker", row);
    }
  }

  /** Whether a process of the job lives that could have been ended. */
  #runs(job: string): boolean {
    return this.#watched.table.of(job, "job").some(({ isStuck: inKernel }) => !inKernel);
  }

  #checkAbort(record: JobRecord, before: Row, row: Row): void {
    const { world, workers } = this.#watched;
    // A clean-up that is owed comes first.
    const isNoted = row.owed !== null && row.abortBy !== null;
    this.#check(isFinal(row.phase) || isNoted, "an abort is not forgotten", row);
    const askedAt = record.abortSeenAt ?? world.now;
    const isFair = workers.get(before.worker ?? "")?.life.wasUndisturbedSince(askedAt) && world.storeFailedAt < askedAt;
    const took = world.now - askedAt;
    const { graceMs, exitHandlerMs } = record.limits;
    const most = ABORT_WITHIN_MS + graceMs + (record.handled ? 2 * exitHandlerMs : 0);
    this.#check(!isFair || took <= most, "an abort is carried out in time", row, `${took} ms of ${most}`);
  }

  #removed(there: ReadonlySet<string>): void {
    const { ledger, observer, world } = this.#watched;
    for (const record of ledger.jobs.values()) {
      const { row } = record;
      if (!row || record.gone || there.has(row.id)) continue;
      record.gone = true;
      world.say("", `${row.id.slice(0, 6)} is gone`);
      const isDue = row.destruction !== null && row.destruction <= world.latestWall;
      this.#check(record.mayGo || isDue, "no job is lost", row);
      // It may have ended in the same commit.
      const phase = observer.tombstone(row.id);
      if (phase !== null) record.row = { ...row, phase };
      this.#check(phase !== null, "a removed job leaves a tombstone", row);
      this.#check(phase === null || !isHeldByWorker(phase), "no job is removed while it is run", row);
    }
  }
}

/** What could not be ended, or looked for, is said in the error; such a job is never run again. */
export const isStuck = (row: Row): boolean => isFinal(row.phase) && saysStuck(row);

/** It may be such a job, to be cleaned up after first. */
export const saysStuck = ({ error }: Row): boolean =>
  /could not be ended|another pid namespace|recovery failed/.test(error ?? "");

const describeEnd = ({ endedAt, verdict, error, attempts }: Row): string =>
  JSON.stringify([endedAt, verdict, error, attempts]);
