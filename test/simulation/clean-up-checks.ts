import type { Launch } from "../../src/process/port.ts";
import { isFinal } from "../../src/store/phases.ts";
import { mayBeOfAStop } from "../../src/worker/ending.ts";
import { isStuck } from "./commit-checks.ts";
import type { JobRecord } from "./ledger.ts";
import type { Life } from "./life.ts";
import type { AttemptRow, Row } from "./observer.ts";
import type { Watched } from "./watched.ts";
import { endedByItself, endingOf, type MainEnd, type TreeFacts } from "./witness.ts";

const MOST_TRIES = 2;
/** What a handler may do when its time is over, and how late it is told. */
const GOODBYE_MS = 1300;

/** Exit codes may say of a signal what nobody saw of it. */
const isOwnExit = (end: MainEnd | null): boolean =>
  end !== null && endedByItself(end) && end.how.code !== null && !mayBeOfAStop(endingOf(end));

const wasStuck = ({ main }: TreeFacts): boolean => main.unkillableUntil > main.begunAt;

/** When exit handlers are to run, when not, and what becomes of the job then. */
export class CleanUpChecks {
  readonly #watched: Watched;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** An exit handler is about to be started. */
  spawning(life: Life, launch: Launch): void {
    const { world, observer, table, witness } = this.#watched;
    const { job, attempt } = launch;
    const row = observer.row(job);
    const recorded = row && observer.attempts(row.seq).find(({ number }) => number === attempt);
    const { tree, tries } = witness.of(launch);
    const what = (): string => `${life.name} cleans up after ${job.slice(0, 6)}, attempt ${attempt}, ${row?.phase}`;
    world.check(table.of(job, "exit handler").length === 0, "an exit handler runs alone", what);
    this.#checkStanding(life, launch, what);
    const counted = tries.filter((one) => !this.#isCutShort(one)).length;
    world.check(counted < MOST_TRIES, "an exit handler is tried twice at most", () => `${what()}, ${counted} before`);
    const isNoted = (recorded?.cleanUpTries ?? 0) > counted;
    world.check(isNoted, "a try is recorded before it begins", () => `${what()}, ${recorded?.cleanUpTries}`);
    // What waits in the kernel ends by itself although it was made to stand still.
    const isOwn = tree?.life === life && !wasStuck(tree) && tree.kept?.isLost !== true && isOwnExit(tree.end);
    world.check(!isOwn, "no exit handler after an exit of the job's own", what);
    const { worker } = row ?? {};
    const owner = this.#watched.workers.get(worker ?? "")?.life;
    world.check(owner === life || owner?.isDead === true, "a worker cleans up only after its own and the dead", what);
  }

  /** On the first try of a stop the tree stands still, else it is dead. */
  #checkStanding(life: Life, launch: Launch, what: () => string): void {
    const { world, table, witness } = this.#watched;
    const { tree, tries } = witness.of(launch);
    // Who keeps its end stands still as well, and cannot tell of it.
    const isUntold = tree?.end === null || (tree?.kept?.exit === null && !tree.kept.isLost);
    const isFirst = tree?.holder === life && isUntold && tries.every((one) => one.life !== life);
    const mayStand = isFirst && launch.environment["REEVE_CAUSE"] === "stop";
    const wrong = table.of(launch.job, "job").filter((one) => (mayStand ? one.moves : !one.isStuck));
    const say = (): string => `${what()}: ${wrong.map(({ pid }) => pid).join(" ")}`;
    world.check(wrong.length === 0, "an exit handler finds a tree that does not move", say);
  }

  /** By a stop of its worker, before its own time was over: such a try does not count. */
  #isCutShort({ life, end, main, launch }: TreeFacts): boolean {
    if (!end?.asked.has(life)) return false;
    const { stopAskedAt = null } = [...this.#watched.workers.values()].find((one) => one.life === life) ?? {};
    const isStopping = stopAskedAt !== null || life.diskIsBroken;
    const wasInTime = end.at - main.begunAt < launch.limits.exitHandlerMs + GOODBYE_MS;
    return isStopping && (wasInTime || life.wasPausedSince(main.begunAt));
  }

  handlerEnded({ launch, life, main, end }: TreeFacts): void {
    if (!end || !life.wasUndisturbedSince(main.begunAt)) return;
    const took = end.at - main.begunAt;
    const most = launch.limits.exitHandlerMs + GOODBYE_MS;
    const say = (): string => `${launch.job.slice(0, 6)}: ${took} ms of ${most}`;
    this.#watched.world.check(took <= most, "an exit handler keeps to its time", say);
  }

  /** A job is about to be started. */
  spawningJob({ job, attempt }: Launch): void {
    const { world, observer, table } = this.#watched;
    const what = (): string => `${job.slice(0, 6)}, attempt ${attempt}`;
    world.check(table.of(job, "exit handler").length === 0, "no job runs beside its exit handler", what);
    const row = observer.row(job);
    const before = row ? observer.attempts(row.seq).filter(({ number }) => number < attempt) : [];
    const dirty = before.filter((one) => this.#needs(job, one) && !this.#isClean(job, one));
    const say = (): string => `${what()}: ${JSON.stringify(dirty)}`;
    world.check(dirty.length === 0, "a job runs again only when it has been cleaned up after", say);
  }

  /** What is on disk says so, and a handler really ended well. */
  #isClean(job: string, { number, cleanUp }: AttemptRow): boolean {
    const { tries } = this.#watched.witness.of({ job, attempt: number });
    return cleanUp === "done" && tries.some(({ end }) => end?.how.code === 0);
  }

  /** After a stop, a death by a signal, a timeout, an overrun, an abort, a loss; of something that was started. */
  #needs(job: string, { number, exitHandler, ending, cause }: AttemptRow): boolean {
    if (exitHandler === null || ending === null || /spawn failed|rejected|not started/.test(ending)) return false;
    if (ending === "lost") return this.#watched.witness.of({ job, attempt: number }).tree !== null;
    return cause !== null || ending === "signalled";
  }

  /** After a commit in which something became of the job. */
  changed(record: JobRecord, row: Row): void {
    const { observer, table, world } = this.#watched;
    const attempts = observer.attempts(row.seq);
    for (const attempt of attempts) this.#changedAttempt(record, row, attempt);
    if (!isFinal(row.phase)) return;
    const tidying = table.of(row.id, "exit handler").filter(({ isStuck: inKernel }) => !inKernel);
    const say = (): string => `${row.id.slice(0, 6)} is ${row.phase}: ${tidying.map(({ pid }) => pid).join(" ")}`;
    world.check(tidying.length === 0 || isStuck(row), "the end is told when the exit handler has ended", say);
  }

  #changedAttempt({ spec }: JobRecord, row: Row, attempt: AttemptRow): void {
    const { world, witness } = this.#watched;
    const { cleanUp, number } = attempt;
    const what = (): string => `${spec.id.slice(0, 6)} (${row.phase}, owed ${row.owed}): ${JSON.stringify(attempt)}`;
    const { tree, tries } = witness.of({ job: row.id, attempt: number });
    const mayBeIdle = attempt.ending === "lost" || (tree !== null && wasStuck(tree));
    const needs = this.#needs(row.id, attempt);
    const isSeenTo = cleanUp === "done" || cleanUp === "failed";
    world.check(
      !isFinal(row.phase) || !needs || isSeenTo || isStuck(row),
      "a final phase is shown after the clean-up",
      what,
    );
    world.check(
      cleanUp !== "failed" || row.phase === "ERROR" || row.phase === "UNKNOWN",
      "what could not be cleaned up is an error",
      what,
    );
    const isDone = tries.some(({ end }) => end?.how.code === 0);
    world.check(cleanUp !== "done" || isDone, "a clean-up is done when its handler ended well", what);
    world.check(cleanUp !== "owed" || row.owed === number || isStuck(row), "what is owed is not forgotten", what);
    world.check(cleanUp === null || needs || mayBeIdle, "no exit handler without a reason", what);
  }
}
