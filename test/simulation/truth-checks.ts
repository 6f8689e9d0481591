import { isHeldByWorker } from "../../src/store/phases.ts";
import { mayBeOfAStop } from "../../src/worker/ending.ts";
import { isStuck, saysStuck } from "./commit-checks.ts";
import type { JobRecord } from "./ledger.ts";
import type { Life } from "./life.ts";
import type { AttemptRow, Row } from "./observer.ts";
import type { VirtualProcess } from "./process-table.ts";
import type { Kept } from "./processes.ts";
import type { Watched, WorkerLife } from "./watched.ts";
import { endedByItself, endingOf, type MainEnd, type TreeFacts } from "./witness.ts";

/** From a death until it is told, a few timers included. */
const NEWS_MS = 200;
/** Between the look at a suspended job's time and the moment in which it stands still. */
const SUSPENSION_MS = 30;
/** A death by a signal is judged a second later, less what its news may take. */
const STOP_FOLLOWS_MS = 900;

/** What a machine sends to all that runs when it is shut down. */
const OF_A_SHUTDOWN = new Set(["SIGTERM", "SIGHUP", "SIGKILL"]);

const wasStuck = ({ unkillableUntil, begunAt }: VirtualProcess): boolean => unkillableUntil > begunAt;

interface Ended {
  readonly by: Life;
  readonly record: JobRecord;
  readonly before: Row;
  readonly row: Row;
  readonly attempt: AttemptRow;
}

/** Compares what is recorded of an attempt's end with what its processes really did. */
export class TruthChecks {
  readonly #watched: Watched;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  ended(ended: Ended): void {
    const { attempt, row } = ended;
    const { tree } = this.#watched.witness.of({ job: row.id, attempt: attempt.number });
    // What has begun to be cleaned up after does not go on.
    const mayGoOn = attempt.cleanUpTries === 0 && !isStuck(row);
    if (tree && attempt.ending === "lost" && mayGoOn) this.#checkLost(ended, tree);
    const ran = attempt.ending === "exited" || attempt.ending === "signalled";
    this.#check(!ran || !!tree?.end || saysStuck(row), "an end is recorded of what has ended", ended);
    if (!ran || !tree?.end) return;
    this.#checkEnding(ended, tree.end, tree.kept);
    this.#checkCause(ended, tree, tree.end);
    this.#checkTime(ended, tree, tree.end);
    if (attempt.cause === "stop") this.#checkStop(ended, tree, tree.end);
  }

  /** What may outlive its worker is lost only if nobody was left to tell how it ended. */
  #checkLost(ended: Ended, { kept, end }: TreeFacts): void {
    if (kept === null) return;
    const isKnown = kept.exit !== null && !OF_A_SHUTDOWN.has(kept.exit.signal ?? "");
    this.#check(!isKnown, "an end that was kept is learnt", ended);
    this.#check(
      end?.killer !== ended.by || kept.pid === null || kept.isLate || kept.isLost,
      "what outlives its worker goes on",
      ended,
    );
  }

  #check(holds: boolean, invariant: string, { row, attempt }: Ended, detail = ""): void {
    const say = (): string => `job ${row.id.slice(0, 6)} (${row.phase}) ${JSON.stringify(attempt)} ${detail}`;
    this.#watched.world.check(holds, invariant, say);
  }

  /** Who had it in the end. */
  #workerOf({ before }: Ended): WorkerLife | undefined {
    return this.#watched.workers.get(before.worker ?? "");
  }

  #checkEnding(ended: Ended, { how }: MainEnd, kept: Kept | null): void {
    const { exitCode, signal } = ended.attempt;
    const told = kept?.exit ?? how;
    // Where who was to keep it was killed itself, nobody knows.
    const isUnknown = kept?.isLost === true && exitCode === null && (signal === null || signal === "SIGKILL");
    const isTrue = isUnknown || (exitCode === told.code && signal === told.signal);
    this.#check(isTrue, "the recorded end is the true one", ended, JSON.stringify(how));
  }

  #checkCause(ended: Ended, { life, kept, main }: TreeFacts, end: MainEnd): void {
    const { cause, ending } = ended.attempt;
    // Who asks for the abort of a job that has no worker cannot know that it has ended.
    // Nor is it known of what was in the kernel while who keeps its end stood still.
    const isLate = kept !== null && (cause === "abort" || wasStuck(main));
    // Exit codes may say of a signal what nobody saw of it.
    const isOwn = endedByItself(end) && ending === "exited" && !mayBeOfAStop(endingOf(end));
    this.#check(!isOwn || isLate || cause === null, "what has ended by itself has ended", ended);
    // Why an earlier worker ended it died with that one; without who keeps its end it is swept like a stray.
    this.#check(
      end.killer !== ended.by || kept?.isLost === true || cause !== null,
      "whoever is ended by its worker knows why",
      ended,
    );
    const { stopAskedAt = null } = this.#workerOf(ended) ?? {};
    this.#check(cause !== "stop" || stopAskedAt !== null || ended.by.diskIsBroken, "a stop has been asked for", ended);
    if (end.killer !== "outside" || stopAskedAt === null || !mayBeOfAStop(endingOf(end))) return;
    const follows = stopAskedAt >= end.at && stopAskedAt <= end.at + STOP_FOLLOWS_MS;
    const isStop = !follows || !life.wasUndisturbedSince(end.at) || cause !== null;
    this.#check(isStop, "a signal to the worker and its jobs at once is a stop", ended, `${end.at}`);
  }

  #checkTime(ended: Ended, { life, main, kept }: TreeFacts, end: MainEnd): void {
    const { record, before, row, attempt } = ended;
    const { limits, spec } = record;
    const slackMs = SUSPENSION_MS * (record.suspensions + 1);
    const asked = end.asked.get(ended.by) ?? end.asked.get(life);
    const claimedMs = life === ended.by ? 0 : main.begunAt - (record.claimed.get(attempt.number) ?? main.begunAt);
    const ran = (asked?.ranMs ?? end.ranMs) + slackMs + claimedMs;
    // How long it ran under an earlier worker only the wall clock tells, from its claim on, with what stood still then.
    const isGuess = this.#watched.world.jumpedAt >= main.begunAt || record.wasToStandStill;
    if (life !== ended.by && isGuess) return;
    if (attempt.cause === "timeout") {
      this.#check(ran >= (limits.timeoutMs ?? Infinity), "no timeout before its time", ended, `${ran} ms`);
    }
    if (attempt.cause === "overrun") {
      const inAll = before.runningMs + ran;
      this.#check(inAll >= spec.executionDuration * 1000, "no overrun before its time", ended, `${inAll} ms`);
    }
    // What waits in the kernel does not stand still at once.
    if (wasStuck(main) || kept?.isLost || !life.wasUndisturbedSince(main.begunAt)) return;
    const recorded = row.runningMs - before.runningMs;
    const isTrue = Math.abs(recorded - end.ranMs) <= NEWS_MS + slackMs;
    this.#check(isTrue, "running time is recorded as it was", ended, `${recorded} ms of ${end.ranMs}`);
  }

  #checkStop(ended: Ended, { kept, main }: TreeFacts, end: MainEnd): void {
    const { record, before, row, attempt } = ended;
    const { endsOutliving = true, stopAskedAt = null } = this.#workerOf(ended) ?? {};
    const wasRunning = stopAskedAt !== null && main.begunAt < stopAskedAt;
    const isOwn = kept === null || kept.isLost || endsOutliving || !wasRunning || mayBeOfAStop(endingOf(end));
    this.#check(isOwn, "a stop leaves alone what outlives it", ended);
    const counts = row.failures - before.failures + row.lost - before.lost;
    const isWanted = attempt.exitCode === 0 && record.limits.termExitZero === "completed";
    const isDirty = attempt.cleanUp === "failed";
    const isPutBack = row.phase === "QUEUED" || isHeldByWorker(row.phase);
    const isOther = row.phase === "ABORTED" ? before.abortBy !== null || row.abortBy !== null : isStuck(row);
    const isKept = isPutBack || isOther || isDirty || (isWanted && row.phase === "COMPLETED");
    this.#check(counts === 0 && isKept, "what a stop ends is put back, and not counted", ended, `${counts}`);
    if (!kept?.isLost) this.#checkFinish(ended, end);
  }

  /** What may finish by itself is given the time for it. */
  #checkFinish(ended: Ended, { asked }: MainEnd): void {
    const { record } = ended;
    const worker = this.#workerOf(ended);
    if (!worker || worker.stopAskedAt === null || worker.nowAskedAt !== null || record.wasToStandStill) return;
    const by = asked.get(worker.life);
    if (!by || by.at < worker.stopAskedAt) return;
    const most = worker.stopBudgetMs - 2000;
    const least = worker.stopAskedAt + Math.max(0, Math.min(record.limits.finishMs, most)) - NEWS_MS;
    this.#check(by.at >= least, "who may finish has the time for it", ended, `${by.at} of ${least}`);
  }
}
