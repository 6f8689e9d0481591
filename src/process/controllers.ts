import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { write } from "./control-group.ts";

/** What only a control group can bound: for the whole of a tree. */
export interface TreeLimits {
  readonly memoryBytes?: number;
  readonly cpus?: number;
  /** Threads count, too. */
  readonly processes?: number;
}

export type TreeLimit = keyof TreeLimits;

/** The files of a controller, and what is written to them. */
export interface Controller {
  readonly name: string;
  /** In the hierarchy of version 2, and in that of version 1. */
  readonly settings: Readonly<Record<1 | 2, (limit: number) => readonly Setting[]>>;
}

export interface Setting {
  readonly file: string;
  readonly value: string;
  /** A kernel without swap accounting has no such file. */
  readonly mayBeMissing?: boolean;
}

/** Microseconds in which the processor time of a group is counted; the kernel's own choice. */
const PERIOD_US = 100_000;

const quota = (cpus: number): number => Math.round(cpus * PERIOD_US);

export const CONTROLLERS: Readonly<Record<TreeLimit, Controller>> = {
  memoryBytes: {
    name: "memory",
    settings: {
      // What may be swapped out would be bounded by nothing.
      2: (bytes) => [
        { file: "memory.max", value: String(bytes) },
        { file: "memory.swap.max", value: "0", mayBeMissing: true },
      ],
      1: (bytes) => [
        { file: "memory.limit_in_bytes", value: String(bytes) },
        { file: "memory.memsw.limit_in_bytes", value: String(bytes), mayBeMissing: true },
      ],
    },
  },
  cpus: {
    name: "cpu",
    settings: {
      2: (cpus) => [{ file: "cpu.max", value: `${quota(cpus)} ${PERIOD_US}` }],
      1: (cpus) => [
        { file: "cpu.cfs_period_us", value: String(PERIOD_US) },
        { file: "cpu.cfs_quota_us", value: String(quota(cpus)) },
      ],
    },
  },
  processes: {
    name: "pids",
    settings: {
      2: (processes) => [{ file: "pids.max", value: String(processes) }],
      1: (processes) => [{ file: "pids.max", value: String(processes) }],
    },
  },
};

const LIMITS: readonly TreeLimit[] = ["memoryBytes", "cpus", "processes"];

export const namesOf = (limits: TreeLimits): TreeLimit[] => LIMITS.filter((limit) => limits[limit] !== undefined);

/** What cannot be had here, as the spawn tells it. */
export const unsupported = (message: string): Error => Object.assign(new Error(message), { code: "ENOTSUP" });

/** Writes what a controller is to keep to into a group. */
export function set(path: string, settings: readonly Setting[]): void {
  for (const { file, value, mayBeMissing } of settings) {
    const target = join(path, file);
    if (mayBeMissing && !existsSync(target)) continue;
    try {
      write(target, value);
    } catch (error) {
      throw unsupported(`${value} cannot be written to ${file} of its control group: ${messageOf(error)}`);
    }
  }
}
