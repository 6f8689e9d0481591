import type { Definition } from "../config/definition.ts";
import type { Slot, WarmSlot } from "../process/port.ts";
import type { ExitHandlers } from "./exit-handlers.ts";
import type { Leases } from "./leases.ts";
import type { Planner } from "./plan.ts";
import type { Ports } from "./ports.ts";
import type { Stop } from "./stop.ts";

export interface DispatcherOptions {
  readonly ports: Ports;
  readonly worker: string;
  readonly planner: Planner;
  readonly slots: readonly Slot[];
  /** Of which some may want processes that wait for their jobs. */
  readonly definitions: ReadonlyMap<string, Definition>;
  /** Null: no process can wait for a job here. */
  readonly newWarmSlot: () => WarmSlot | null;
  /** Jobs that may be started in all; null: no limit. */
  readonly maxJobs: number | null;
  readonly stays: boolean;
  /** A slot that cannot be used again is replaced. */
  readonly newSlot: () => Slot;
  /** There may be something to claim. */
  readonly poke: () => void;
  /** Something ended that the worker's loop may wait for. */
  readonly wake: () => void;
  readonly stop: Stop;
  readonly exitHandlers: ExitHandlers;
  readonly leases: Leases;
  /** The end of the worker is the end of all its jobs, also of those that would outlive it. */
  readonly endsOutliving: boolean;
}
