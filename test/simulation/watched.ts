import type { Worker } from "../../src/worker/worker.ts";
import type { Host } from "../../src/worker/ports.ts";
import type { Ledger } from "./ledger.ts";
import type { Life } from "./life.ts";
import type { Observer } from "./observer.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Witness } from "./witness.ts";
import type { World } from "./world.ts";

/** One virtual worker process, and what was asked of it. */
export interface WorkerLife {
  readonly life: Life;
  readonly worker: Worker;
  readonly host: Host;
  readonly stopBudgetMs: number;
  /** Its end is the end of all its jobs. */
  readonly endsOutliving: boolean;
  /** Whether it came to the end of its work. */
  isDone: boolean;
  /** When it was asked to stop. */
  stopAskedAt: number | null;
  /** When it was asked to stop at once. */
  nowAskedAt: number | null;
}

/** What everybody who checks needs. */
export interface Watched {
  readonly world: World;
  readonly ledger: Ledger;
  readonly observer: Observer;
  readonly table: ProcessTable;
  readonly witness: Witness;
  /** All workers that there ever were, by their ids. */
  readonly workers: ReadonlyMap<string, WorkerLife>;
}
