import { isStuck } from "./commit-checks.ts";
import type { JobRecord } from "./ledger.ts";
import type { Row } from "./observer.ts";
import type { Sender, VirtualProcess } from "./process-table.ts";
import type { Watched } from "./watched.ts";

/** A ring may be lost, then the next look for the dead tells; and disks may be slow. */
const SOON_MS = 8000;

/** What is SUSPENDED stands still, and what nobody suspended does not. */
export class SuspensionChecks {
  readonly #watched: Watched;
  /** Since when each stopped process was seen to stand still without a reason. */
  #idle = new Map<number, number>();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** After a commit in which something became of the job. */
  changed(record: JobRecord, before: Row, row: Row): void {
    const { table, world } = this.#watched;
    record.wasToStandStill ||= row.suspendBy !== null;
    if (before.suspendBy !== null && row.suspendBy === null) record.resumed = true;
    if (before.phase !== "SUSPENDED" && row.phase === "SUSPENDED") {
      record.suspensions += 1;
      record.resumed = row.suspendBy === null;
      // What is being ended meanwhile goes on to its end, and what was resumed by a worker that died of it goes on.
      const isOver = record.resumed || this.#hasEnded(row);
      const moving = table.of(row.id, "job").filter(({ moves, asked }) => moves && asked.size === 0 && !isOver);
      const say = (): string => `${row.id.slice(0, 6)}: ${moving.map(({ pid }) => pid).join(" ")}`;
      world.check(moving.length === 0, "what is SUSPENDED stands still", say);
    }
    if (before.phase === "SUSPENDED" && row.phase === "EXECUTING" && row.attempts === before.attempts) {
      const standing = table.of(row.id, "job").filter(({ isStopped }) => isStopped);
      const say = (): string => `${row.id.slice(0, 6)}: ${standing.map(({ pid }) => pid).join(" ")}`;
      world.check(standing.length === 0 || row.suspendBy !== null, "what is resumed goes on", say);
    }
  }

  /** A worker may have it go on when that was asked for, or to end it. */
  signalling(one: VirtualProcess, signal: string, by: Sender): void {
    const { ledger, table, world } = this.#watched;
    const { job, role } = one.tree;
    if (signal !== "SIGCONT" || by === "outside" || role !== "job" || one.isDoomed || one.isKeeper) return;
    const record = ledger.get(job);
    const tidying = table.of(job, "exit handler").filter(({ isDoomed }) => !isDoomed);
    const what = (): string => `${by.name} lets process ${one.pid} of ${job.slice(0, 6)} go on`;
    world.check(tidying.length === 0, "nothing goes on beside an exit handler", what);
    const isAsked = record?.row?.phase !== "SUSPENDED" || record.resumed || one.asked.has(by);
    world.check(isAsked, "what is SUSPENDED goes on only when that is asked for", what);
  }

  /** Now and then: whether anything stands still for ever, or moves that is not to. */
  look(): void {
    for (const record of this.#watched.ledger.jobs.values()) if (record.row && !record.gone) this.#lookAt(record.row);
    this.#lookForIdle();
  }

  #lookAt(row: Row): void {
    const { table, world } = this.#watched;
    if (row.phase !== "SUSPENDED" || row.suspendBy === null || row.abortBy !== null || !this.#isFair(row)) return;
    if (this.#hasEnded(row)) return;
    const moving = table.of(row.id, "job").filter(({ moves }) => moves);
    const say = (): string => `${row.id.slice(0, 6)}: ${moving.map(({ pid }) => pid).join(" ")}`;
    world.check(moving.length === 0, "what is SUSPENDED stays still", say);
  }

  /** Its main process has ended, or was asked to. */
  #hasEnded({ id, attempts }: Row): boolean {
    const { tree } = this.#watched.witness.of({ job: id, attempt: attempts });
    return !tree || tree.end !== null || tree.main.asked.size > 0;
  }

  /** Whether nothing kept its worker from what it had to do. One that ends leaves it to the next. */
  #isFair({ worker }: Row): boolean {
    const { workers, world } = this.#watched;
    const { life, stopAskedAt } = workers.get(worker ?? "") ?? {};
    const since = world.now - SOON_MS;
    return stopAskedAt === null && life?.wasUndisturbedSince(since) === true && world.storeFailedAt < since;
  }

  #lookForIdle(): void {
    const { table, world } = this.#watched;
    const idle = new Map<number, number>();
    for (const one of table.all) {
      if (!one.isStopped || one.isDoomed || this.#hasReason(one)) continue;
      const since = this.#idle.get(one.pid) ?? world.now;
      idle.set(one.pid, since);
      const say = (): string => `process ${one.pid} of ${one.tree.job.slice(0, 6)}`;
      world.check(world.now - since <= SOON_MS, "nothing stands still that nobody suspended", say);
    }
    this.#idle = idle;
  }

  #hasReason({ tree: { job, role } }: VirtualProcess): boolean {
    const { ledger, table } = this.#watched;
    const row = ledger.get(job)?.row;
    if (row && isStuck(row)) return true;
    if (role !== "job" || !row || row.worker === null) return false;
    return row.suspendBy !== null || !this.#isFair(row) || table.of(job, "exit handler").length > 0;
  }
}
