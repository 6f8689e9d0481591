import type { WorkerEvent } from "../../src/events.ts";
import type { DeadAttempt, Launch, TreeName } from "../../src/process/port.ts";
import { CleanUpChecks } from "./clean-up-checks.ts";
import { CommitChecks } from "./commit-checks.ts";
import type { Life } from "./life.ts";
import type { Sender, TableWatch, VirtualProcess } from "./process-table.ts";
import type { Kept, ProcessWatch } from "./processes.ts";
import type { How } from "./programs.ts";
import { RunChecks } from "./run-checks.ts";
import { SuspensionChecks } from "./suspension-checks.ts";
import { TruthChecks } from "./truth-checks.ts";
import type { Watched } from "./watched.ts";

/** All that is looked at while a history goes on. */
export class Checks implements ProcessWatch, TableWatch {
  readonly #watched: Watched;
  readonly #runs: RunChecks;
  readonly #cleanUps: CleanUpChecks;
  readonly #suspensions: SuspensionChecks;
  readonly #commits: CommitChecks;

  constructor(watched: Watched) {
    this.#watched = watched;
    this.#runs = new RunChecks(watched);
    this.#cleanUps = new CleanUpChecks(watched);
    this.#suspensions = new SuspensionChecks(watched);
    const others = { cleanUps: this.#cleanUps, suspensions: this.#suspensions, truth: new TruthChecks(watched) };
    this.#commits = new CommitChecks(watched, others);
  }

  committed(by: Life): void {
    this.#commits.committed(by);
  }

  told(life: Life, event: WorkerEvent): void {
    this.#runs.told(life, event);
  }

  workerEnded(life: Life): void {
    this.#runs.workerEnded(life);
  }

  spawning(life: Life, launch: Launch): void {
    if (launch.role === "exit handler") return this.#cleanUps.spawning(life, launch);
    this.#runs.spawning(life, launch);
    this.#cleanUps.spawningJob(launch);
  }

  spawned(life: Life, launch: Launch, main: VirtualProcess, kept: Kept | null): void {
    this.#watched.witness.spawned(life, launch, main, kept);
    if (launch.role === "job") this.#runs.spawned(life, launch);
  }

  treeGone(life: Life, tree: TreeName): void {
    this.#runs.treeGone(life, tree);
  }

  letGo(life: Life, tree: TreeName): void {
    this.#runs.letGo(life, tree);
  }

  outlived(life: Life, attempt: DeadAttempt): void {
    this.#runs.outlived(life, attempt);
  }

  recovering(life: Life, attempt: DeadAttempt): void {
    this.#runs.recovering(life, attempt);
  }

  ended(one: VirtualProcess, how: How): void {
    const facts = this.#watched.witness.ended(one, how, this.#watched.world.now);
    if (!facts) return;
    if (one.tree.role === "job") this.#runs.mainEnded(facts);
    else this.#cleanUps.handlerEnded(facts);
  }

  signalling(one: VirtualProcess, signal: string, by: Sender): void {
    this.#suspensions.signalling(one, signal, by);
  }

  /** Now and then. */
  look(): void {
    this.#suspensions.look();
  }
}
