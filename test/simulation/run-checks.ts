import type { WorkerEvent } from "../../src/events.ts";
import type { DeadAttempt, Launch } from "../../src/process/port.ts";
import type { Watched } from "./commit-checks.ts";
import type { Life } from "./life.ts";
import type { ProcessWatch } from "./processes.ts";

/** Kills come in rounds of up to 100 ms, and timers late. */
const SLACK_MS = 300;
const SUSPECT_FROM = 2;

/** What must hold whenever a process is started or ended, or something is told. */
export class RunChecks implements ProcessWatch {
  readonly #watched: Watched;
  readonly #isAlive: (job: string) => boolean;
  /** The jobs whose trees a worker has. */
  readonly #trees = new Map<Life, Set<string>>();

  constructor(watched: Watched, isAlive: (job: string) => boolean) {
    this.#watched = watched;
    this.#isAlive = isAlive;
  }

  spawning(life: Life, { job, attempt }: Launch): void {
    const { world, ledger, observer } = this.#watched;
    const record = ledger.get(job);
    const row = observer.row(job);
    const start = row && observer.attempts(row.seq).find(({ number }) => number === attempt);
    const what = (): string => `${life.name} starts ${job.slice(0, 6)}, attempt ${attempt}, ${row?.phase}`;
    world.check(!this.#isAlive(job), "no job runs twice at once", what);
    world.check(start?.endedAt === null, "no spawn before its start is on disk", what);
    const isOwn = row !== undefined && row.attempts === attempt && this.#watched.workers.get(row.worker ?? "") === life;
    world.check(isOwn, "a worker runs only what is its own", what);
    world.check(record?.spawned.has(attempt) === false, "an attempt is started once", what);
    record?.spawned.add(attempt);
    const others = [...(this.#trees.get(life) ?? [])].filter((other) => this.#isAlive(other));
    const isAlone = others.length === 0 || [job, ...others].every((one) => !this.#isSuspect(one));
    world.check(isAlone, "a suspect runs alone", what);
  }

  #isSuspect(job: string): boolean {
    return (this.#watched.ledger.get(job)?.row?.lost ?? 0) >= SUSPECT_FROM;
  }

  spawned(life: Life, { job }: Launch): void {
    const trees = this.#trees.get(life) ?? new Set<string>();
    this.#trees.set(life, trees.add(job));
  }

  mainEnded(life: Life, { job }: Launch, ranMs: number, unkillableMs: number): void {
    const { world, ledger } = this.#watched;
    const record = ledger.get(job);
    if (!record) return;
    record.lastRanMs = ranMs;
    if (!life.wasUndisturbedSince(world.now - ranMs)) return;
    const { limits, spec, spawned } = record;
    const inAll = spec.executionDuration > 0 ? spec.executionDuration * 1000 - record.ranMs : Infinity;
    const limit = Math.max(0, Math.min(inAll, limits.timeoutMs ?? Infinity));
    const most = Math.max(limit + limits.graceMs, unkillableMs) + SLACK_MS * spawned.size;
    world.check(ranMs <= most, "limits of time are kept", () => `${job.slice(0, 6)} ran ${ranMs} ms of ${most}`);
  }

  /** A worker that has ended leaves nothing behind that it has not killed. */
  workerEnded(life: Life): void {
    const left = [...(this.#trees.get(life) ?? [])].filter((job) => this.#watched.isLeft(job));
    this.#watched.world.check(
      left.length === 0,
      "no worker leaves its processes behind",
      () => `${life.name}: ${left}`,
    );
  }

  treeGone(life: Life, { job }: Launch): void {
    this.#trees.get(life)?.delete(job);
  }

  recovering(life: Life, { job, attempt }: DeadAttempt): void {
    const { world, ledger, workers } = this.#watched;
    const owner = workers.get(ledger.get(job)?.row?.worker ?? "");
    const what = (): string => `${life.name} recovers ${job.slice(0, 6)}, attempt ${attempt}, of ${owner?.name}`;
    world.check(owner?.isDead === true, "only the jobs of the dead are recovered", what);
  }

  /** What is told must be on disk. */
  told(life: Life, event: WorkerEvent): void {
    life.mustLive();
    life.say(event.type);
    if (event.type !== "job ended") return;
    const { world, ledger, observer } = this.#watched;
    const { row = null, gone = false } = ledger.get(event.job) ?? {};
    const attempt = row && observer.attempts(row.seq).find(({ number }) => number === event.attempt);
    const isTrue = !!attempt && attempt.endedAt !== null && attempt.verdict === event.settlement.verdict.kind;
    // It may have been removed in the commit in which it ended.
    if (gone) return;
    const what = (): string => `${event.job.slice(0, 6)} ${event.settlement.verdict.kind}, on disk ${attempt?.verdict}`;
    world.check(isTrue, "only what is on disk is told", what);
  }
}
