import type { ProcessStat } from "../../src/process/proc.ts";
import type { Behaviour, How } from "./programs.ts";
import type { World } from "./world.ts";

export interface VirtualProcess {
  readonly pid: number;
  readonly job: string;
  readonly attempt: number;
  readonly pidNamespace: string;
  readonly onTerm: How | null;
  readonly unkillableUntil: number;
  readonly ended: (how: How) => void;
  /** KILL has been sent. */
  isDoomed: boolean;
}

/** Between a signal and the death that it brings. */
const SLOWEST_DEATH_MS = 40;

/** All virtual processes but the workers. They outlive whoever started them. */
export class ProcessTable {
  readonly #world: World;
  readonly #living = new Map<number, VirtualProcess>();
  #lastPid = 1000;

  constructor(world: World) {
    this.#world = world;
  }

  get all(): readonly VirtualProcess[] {
    return [...this.#living.values()];
  }

  of(job: string): readonly VirtualProcess[] {
    return this.all.filter((one) => one.job === job);
  }

  /** Starts a main process; what it leaves behind begins to live when it ends. */
  start(
    whose: Pick<VirtualProcess, "job" | "attempt" | "pidNamespace">,
    behaviour: Behaviour,
    ended: (how: How) => void,
  ): VirtualProcess {
    const leave = (how: How): void => {
      for (const { runMs, obeys } of behaviour.strays) {
        this.#add(whose, { ...behaviour, runMs, onTerm: obeys ? { code: null, signal: "SIGTERM" } : null }, () => {});
      }
      ended(how);
    };
    return this.#add(whose, behaviour, leave);
  }

  #add(
    whose: Pick<VirtualProcess, "job" | "attempt" | "pidNamespace">,
    { runMs, exit, onTerm, unkillableMs }: Behaviour,
    ended: (how: How) => void,
  ): VirtualProcess {
    this.#lastPid += 1;
    const pid = this.#lastPid;
    const unkillableUntil = this.#world.now + unkillableMs;
    const { job, attempt, pidNamespace } = whose;
    const one = { job, attempt, pidNamespace, pid, onTerm, unkillableUntil, ended, isDoomed: false };
    this.#living.set(pid, one);
    this.#world.after(runMs, null, () => this.end(one, exit));
    return one;
  }

  end(one: VirtualProcess, how: How): void {
    if (!this.#living.delete(one.pid)) return;
    this.#world.say("", `process ${one.pid} of ${one.job.slice(0, 6)} ends: ${how.signal ?? how.code}`);
    one.ended(how);
  }

  signal(pids: readonly number[], signal: string): void {
    for (const pid of pids) {
      const one = this.#living.get(pid);
      if (!one || signal === "SIGCONT") continue;
      const how = signal === "SIGKILL" ? { code: null, signal } : one.onTerm;
      one.isDoomed ||= signal === "SIGKILL";
      const stuck = Math.max(0, one.unkillableUntil - this.#world.now);
      if (how)
        this.#world.after(stuck + this.#world.random.between(0, SLOWEST_DEATH_MS), null, () => this.end(one, how));
    }
  }

  /** Whether a process of the job lives that nobody has done all he could to end. */
  isLeft(job: string): boolean {
    return this.of(job).some(({ isDoomed }) => !isDoomed);
  }

  /** Those of a job as `/proc` would show them. */
  membersOf(job: string): ProcessStat[] {
    return this.of(job).map(({ pid }) => ({ pid, state: "S", parent: 1, group: pid, session: pid, startTime: pid }));
  }

  /** A pid namespace ends with its first process, a boot with all. */
  endAll(which: (one: VirtualProcess) => boolean): void {
    const condemned = this.all.filter(which);
    for (const one of condemned) this.end(one, { code: null, signal: "SIGKILL" });
    // Main processes leave others behind when they end.
    if (condemned.length > 0) this.endAll(which);
  }
}
