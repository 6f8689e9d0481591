import { readFileSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { Runtime } from "../runtime/port.ts";
import { Orphans } from "./orphans.ts";
import type { DeadAttempt, Launch, Processes, Remains, RunningTree, Slot, StopOrder } from "./port.ts";
import { inheritedOpenFilesLimit, readStat } from "./proc.ts";
import { recoverAttempt } from "./recovery.ts";
import { FileSlot, type Supervision } from "./supervisor.ts";
import { terminate } from "./terminate.ts";
import { sendSignal, signalAll } from "./tree.ts";

const SIGCHLD = 17;
/** How much sooner the kernel ends a job than its worker when memory runs out. */
const OOM_STEP = 200;
const OOM_MOST = 1000;

/** All processes of this worker: starts them, counts them, signals, waits for and ends them. */
export class ProcessManager implements Processes {
  readonly #supervision: Supervision;
  readonly #running = new Set<RunningTree>();

  constructor(runtime: Runtime, clock: Clock) {
    const libc = runtime.libc();
    // Inherited as ignored, it would take the exit statuses of all children away.
    if (process.platform === "linux") libc.defaultSignal(SIGCHLD);
    this.#supervision = {
      runtime,
      clock,
      orphans: new Orphans(libc),
      openFiles: openFilesLimits(),
      oomScore: oomScore(),
    };
  }

  /** How many jobs' main processes run. */
  get count(): number {
    return this.#running.size;
  }

  openSlot(directory: string): Slot {
    const slot = new FileSlot(directory, this.#supervision);
    return {
      directory,
      start: (launch: Launch) => this.#track(slot.start(launch)),
      collect: (launch: Launch) => slot.collect(launch),
      close: () => slot.close(),
    };
  }

  #track(tree: RunningTree): RunningTree {
    this.#running.add(tree);
    void tree.exited.then(() => this.#running.delete(tree));
    return tree;
  }

  /** To each main process's group. */
  signalAll(signal: NodeJS.Signals = "SIGQUIT"): void {
    for (const { pid } of this.#running) sendSignal(-pid, signal);
  }

  async waitForAll(): Promise<void> {
    await Promise.all([...this.#running].map((tree) => tree.exited));
  }

  /** Ends every tree and waits until all are gone. */
  async tearDown(order: StopOrder): Promise<void> {
    const trees = [...this.#running];
    for (const tree of trees) tree.stop(order);
    await Promise.all(trees.map(async (tree) => tree.exited.then(() => tree.gone(order))));
  }

  recover(attempt: DeadAttempt): Promise<Remains> {
    return recoverAttempt(attempt, this.#supervision.runtime, this.#supervision.clock);
  }

  async sweep(): Promise<void> {
    const members = () =>
      this.#running.size > 0 ? [] : this.#supervision.orphans.strangers().flatMap((pid) => readStat(pid) ?? []);
    await terminate({ members, signal: signalAll }, { signal: "TERM", graceMs: 2000 }, this.#supervision.clock);
  }
}

/** Null: nothing to put back. */
function openFilesLimits(): Supervision["openFiles"] {
  const children = inheritedOpenFilesLimit();
  const own = Number(readOwn("/proc/self/limits")?.match(/^Max open files +(\d+)/m)?.[1]);
  return children === undefined || !own || children >= own ? null : { children, own };
}

function oomScore(): string | null {
  const own = readOwn("/proc/self/oom_score_adj");
  return own === undefined ? null : String(Math.min(Number(own) + OOM_STEP, OOM_MOST));
}

function readOwn(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
