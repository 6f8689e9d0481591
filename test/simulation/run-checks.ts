import type { WorkerEvent } from "../../src/events.ts";
import type { DeadAttempt, Launch, TreeName } from "../../src/process/port.ts";
import type { Life } from "./life.ts";
import type { Watched } from "./watched.ts";
import type { TreeFacts } from "./witness.ts";

/** Kills come in rounds of up to 100 ms, and timers late. */
const SLACK_MS = 300;
const SUSPECT_FROM = 2;

/** What must hold whenever a job is started or ended, or something is told. */
export class RunChecks {
  readonly #watched: Watched;
  /** The jobs whose trees a worker has. */
  readonly #trees = new Map<Life, Set<string>>();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  spawning(life: Life, { job, attempt }: Launch): void {
    const { world, ledger, observer, table } = this.#watched;
    const record = ledger.get(job);
    const row = observer.row(job);
    const start = row && observer.attempts(row.seq).find(({ number }) => number === attempt);
    const what = (): string => `${life.name} starts ${job.slice(0, 6)}, attempt ${attempt}, ${row?.phase}`;
    world.check(table.of(job, "job").length === 0, "no job runs twice at once", what);
    world.check(start?.endedAt === null, "no spawn before its start is on disk", what);
    const owner = this.#watched.workers.get(row?.worker ?? "");
    world.check(row?.attempts === attempt && owner?.life === life, "a worker runs only what is its own", what);
    world.check(record?.spawned.has(attempt) === false, "an attempt is started once", what);
    record?.spawned.add(attempt);
    const others = [...(this.#trees.get(life) ?? [])].filter((other) => this.#diesWithItsWorker(other));
    const isAlone = others.length === 0 || [job, ...others].every((one) => !this.#isSuspect(one));
    world.check(isAlone, "a suspect runs alone", what);
  }

  /** What outlives a worker may be beside a suspect: it is not blamed for the worker's death. */
  #diesWithItsWorker(job: string): boolean {
    const { table, ledger } = this.#watched;
    return table.of(job, "job").length > 0 && ledger.get(job)?.limits.outlive === false;
  }

  #isSuspect(job: string): boolean {
    return (this.#watched.ledger.get(job)?.row?.lost ?? 0) >= SUSPECT_FROM;
  }

  spawned(life: Life, { job }: Pick<Launch, "job">): void {
    const trees = this.#trees.get(life) ?? new Set<string>();
    this.#trees.set(life, trees.add(job));
  }

  mainEnded({ launch: { job }, life, main }: TreeFacts): void {
    const { world, ledger } = this.#watched;
    const record = ledger.get(job);
    if (!record || life.isDead) return;
    record.lastRanMs = main.ranMs;
    if (!life.wasUndisturbedSince(main.begunAt)) return;
    const { limits, spec, spawned } = record;
    const inAll = spec.executionDuration > 0 ? spec.executionDuration * 1000 - record.ranMs : Infinity;
    const limit = Math.max(0, Math.min(inAll, limits.timeoutMs ?? Infinity));
    const stuckMs = main.unkillableUntil - main.begunAt;
    const most = Math.max(limit + limits.graceMs, stuckMs) + SLACK_MS * (spawned.size + record.suspensions);
    const say = (): string => `${job.slice(0, 6)} ran ${main.ranMs} ms of ${most}`;
    world.check(main.ranMs <= most, "limits of time are kept", say);
  }

  /** A worker that has ended leaves nothing behind that it has not killed. */
  workerEnded(life: Life): void {
    const { world, table } = this.#watched;
    const left = [...(this.#trees.get(life) ?? [])].filter((job) => table.isLeft(job) && this.#endsWith(life, job));
    world.check(left.length === 0, "no worker leaves its processes behind", () => `${life.name}: ${left}`);
  }

  /** Not what it was just about to adopt. */
  #endsWith(life: Life, job: string): boolean {
    const { ledger, witness } = this.#watched;
    const { tree } = witness.of({ job, attempt: ledger.get(job)?.row?.attempts ?? 0 });
    return tree?.kept === null || tree?.life === life;
  }

  treeGone(life: Life, tree: TreeName): void {
    if (tree.role !== "job") return;
    this.#trees.get(life)?.delete(tree.job);
    const facts = this.#watched.witness.of(tree).tree;
    if (facts?.holder === life) facts.holder = null;
  }

  letGo(life: Life, tree: TreeName): void {
    this.treeGone(life, tree);
  }

  /** A worker has a tree that another one started. */
  outlived(life: Life, { job, attempt }: DeadAttempt): void {
    const { world, witness } = this.#watched;
    const { tree } = witness.of({ job, attempt });
    const holder = tree?.holder ?? null;
    const what = (): string => `${life.name} has ${job.slice(0, 6)}, attempt ${attempt}, and so has ${holder?.name}`;
    world.check(tree !== null && (holder === null || holder.isDead), "one worker at a time has a job", what);
    if (tree) tree.holder = life;
    this.spawned(life, { job });
  }

  recovering(life: Life, { job, attempt }: DeadAttempt): void {
    const { world, ledger, workers } = this.#watched;
    const owner = workers.get(ledger.get(job)?.row?.worker ?? "")?.life;
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
