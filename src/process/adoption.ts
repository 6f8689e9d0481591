import { existsSync } from "node:fs";
import { AdoptedTree } from "./adopted-tree.ts";
import { OutlivingSlot } from "./outliving-slot.ts";
import type { DeadAttempt, Remains } from "./port.ts";
import { hasEnvironment, isAlive, readStat } from "./proc.ts";
import { ExitRecord } from "./shim.ts";
import type { Leader } from "./identity.ts";
import { marksOf, type Supervision } from "./supervisor.ts";
import { membersOf, type TreeMarks } from "./tree.ts";
import { keepersOf } from "./wrapping.ts";

type Outlived = Extract<Remains, { kind: "outlived" }>;

/** What a machine sends to all that runs when it is shut down: as lost as what went with the machine. */
const OF_A_SHUTDOWN = new Set(["SIGTERM", "SIGHUP", "SIGKILL"]);

/** A keeper that was spawned when its worker was killed says who it is within so many milliseconds. */
const BEGINS_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 5;

/** An attempt that has a directory of its own, seen by who may become its worker. */
export class Candidate {
  readonly #attempt: DeadAttempt;
  readonly #supervision: Supervision;
  readonly #slot: OutlivingSlot;
  readonly #record: ExitRecord;

  private constructor(attempt: DeadAttempt, supervision: Supervision) {
    this.#attempt = attempt;
    this.#supervision = supervision;
    this.#slot = new OutlivingSlot(attempt.directory, supervision);
    this.#record = new ExitRecord(attempt.directory, ExitRecord.ofInit(attempt.directory, attempt.limits));
  }

  /** Null: it was not started, or not as one that may go on. */
  static of(attempt: DeadAttempt, supervision: Supervision): Candidate | null {
    if (!attempt.mayGoOn || !existsSync(attempt.directory)) return null;
    const candidate = new Candidate(attempt, supervision);
    if (candidate.#slot.files.leaderOf(attempt) !== null) return candidate;
    candidate.leave();
    return null;
  }

  /** Null: nobody is left who could tell how it ends. To be asked where its processes can be seen. */
  async adopt(): Promise<Outlived | null> {
    const { clock } = this.#supervision;
    const end = clock.monotonic() + BEGINS_WITHIN_MS;
    for (;;) {
      const kept = this.#record.read();
      if (kept.pid !== null) return this.#outlived(kept.pid);
      if (membersOf(this.#marks(null)).length === 0 || clock.monotonic() >= end) return null;
      await clock.sleep(LOOK_EVERY_MS);
    }
  }

  #outlived(pid: number): Outlived | null {
    const leader = this.#leader(pid);
    const stat = readStat(pid);
    const lives = leader.startTime !== 0 && isAlive(stat) && stat.startTime === leader.startTime;
    // Read again: it may just have ended.
    return lives || this.#record.read().exit !== null ? this.#taken(leader) : null;
  }

  /** How it ended of itself, where that was kept; null: nobody knows. To be asked when nothing of it is left. */
  ended(): Outlived | null {
    const { pid, exit } = this.#record.read();
    const isKnown = exit !== null && !OF_A_SHUTDOWN.has(exit.signal ?? "");
    return isKnown ? this.#taken({ pid: pid ?? 0, startTime: 0 }) : null;
  }

  #taken(leader: Leader): Outlived {
    const { limits } = this.#attempt;
    const { files } = this.#slot;
    const marks = this.#marks(leader);
    this.#slot.takeOver(marks.group);
    const keepers = keepersOf(limits);
    const found = { name: this.#attempt, limits, files, record: this.#record, marks, keepers };
    const tree = new AdoptedTree({ ...found, pid: leader.pid }, this.#supervision.clock);
    return { kind: "outlived", tree, slot: this.#slot };
  }

  #marks(leader: Leader | null): TreeMarks {
    const { files } = this.#slot;
    return { ...marksOf(this.#attempt, files, files.groupOf(this.#attempt)), leader };
  }

  /** Its start as it was written down, else as the kernel tells it of a process that has the cookie; else 0. */
  #leader(pid: number): Leader {
    const known = this.#slot.files.leaderOf(this.#attempt);
    if (known?.pid === pid && known.startTime !== 0) return known;
    const stat = hasEnvironment(pid, this.#marks(null).cookie) ? readStat(pid) : undefined;
    return { pid, startTime: stat?.startTime ?? 0 };
  }

  /** The files stay as they are. */
  leave(): void {
    this.#slot.files.close();
  }
}
