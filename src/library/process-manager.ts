import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../clock.ts";
import { DEFAULT_LIMITS, type Containment, type StopSignal } from "../config/definition.ts";
import { usageError } from "../errors.ts";
import { ProcessManager as Processes } from "../process/manager.ts";
import { SpawnFailed, type Slot } from "../process/port.ts";
import { randomHex } from "../process/random.ts";
import { runtime } from "../runtime/index.ts";
import { endOf, launchOf, startIn, type EndedProcess, type StartOptions } from "./managed-process.ts";
import { milliseconds } from "./request.ts";
import type { Duration } from "./settings.ts";

export { SpawnFailed };

/** The signals that can be sent to all processes. */
export type SignalName = `SIG${StopSignal}` | "SIGABRT" | "SIGSTOP" | "SIGCONT";

export interface ProcessManagerOptions {
  /** Between TERM and KILL at the teardown; 10 s. */
  readonly grace?: Duration | undefined;
  /** Where the files of its processes are while they run; a new directory in that for temporary files. */
  readonly directory?: string | undefined;
  readonly containment?: Containment | undefined;
}

/**
 * Child processes without a queue and a store, each with all that it starts: what a job's process is to a worker.
 *
 * `setup`, then `start` and `step` as often as you like, then `teardown`. It handles no signals, and several may be in
 * one process.
 */
export class ProcessManager implements AsyncDisposable {
  readonly #options: ProcessManagerOptions;
  readonly #graceMs: number;
  readonly #children = new Set<Promise<void>>();
  readonly #due: (() => void)[] = [];
  #processes: Processes | null = null;
  #directory: string | null = null;
  /** No other tree of this machine has it in its mark. */
  readonly #name = randomHex(10);
  #started = 0;
  #wake = Promise.withResolvers<void>();

  /** @throws ReeveError (usage) for what is no duration */
  constructor(options: ProcessManagerOptions = {}) {
    this.#options = options;
    this.#graceMs = milliseconds("grace", options.grace) ?? DEFAULT_LIMITS.graceMs;
  }

  /**
   * Makes the place for files; {@link start} does it if it was not done.
   *
   * @throws ReeveError (configuration) when control groups are asked for by name and cannot be had
   */
  setup(): void {
    this.#processes ??= new Processes(runtime, systemClock, this.#options.containment, undefined, false);
    this.#directory ??= mkdtempSync(join(this.#options.directory ?? tmpdir(), "reeve-"));
  }

  /** How many processes there are whose end was not told yet by a {@link step}. */
  get count(): number {
    return this.#children.size + this.#due.length;
  }

  /**
   * Starts a program in a session of its own; no shell sees the argv.
   *
   * @returns its pid
   * @throws SpawnFailed when there is no process: no such program, no permission, no memory
   */
  start(command: readonly string[], options: StartOptions = {}): number {
    if (!command[0]) throw usageError("there is no program to start");
    this.setup();
    this.#started += 1;
    const directory = join(this.#directory ?? "", String(this.#started));
    const launch = launchOf(command, options, {
      directory,
      name: `${this.#name}-${this.#started}`,
      graceMs: this.#graceMs,
    });
    const slot = this.#slot(directory);
    const tree = startIn(slot, launch);
    this.#follow(endOf(slot, tree, launch, this.#order), options.onEnd);
    return tree.pid;
  }

  /**
   * Waits until a process has ended or {@link wakeUp} is called, and calls back for all that have ended.
   *
   * @returns how many these were
   * @throws what a callback throws, or what kept the end of a process from being taken in; the next step tells the others
   */
  async step(): Promise<number> {
    if (this.#due.length === 0) await this.#wake.promise;
    this.#wake = Promise.withResolvers();
    let told = 0;
    for (let tell = this.#due.shift(); tell; tell = this.#due.shift()) {
      told += 1;
      tell();
    }
    return told;
  }

  /** Has a {@link step} that waits, or the next one, return. May be called from anywhere. */
  wakeUp(): void {
    this.#wake.resolve();
  }

  /** To the group of each process. What is to be ended for sure is for {@link teardown}. */
  killAll(signal: SignalName = "SIGQUIT"): void {
    this.#processes?.signalAll(signal);
  }

  /** Kept when all have ended, and nothing of them is left; their ends are told by the next {@link step}. */
  async waitForAll(): Promise<void> {
    while (this.#children.size > 0) await Promise.all(this.#children);
  }

  /** Ends every tree (TERM, the grace, KILL), waits until all are gone, tells their ends, and removes the files. */
  async teardown(): Promise<void> {
    await this.#processes?.tearDown(this.#order);
    await this.waitForAll();
    if (this.#due.length > 0) await this.step();
    this.#processes?.close();
    this.#processes = null;
    if (this.#directory) rmSync(this.#directory, { recursive: true, force: true });
    this.#directory = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.teardown();
  }

  get #order() {
    return { signal: "TERM", graceMs: this.#graceMs } as const;
  }

  #slot(directory: string): Slot {
    if (!this.#processes) throw new Error("a process manager was used before its setup");
    return this.#processes.openSlot(directory);
  }

  /** Whatever comes of it is told by a step. */
  #follow(end: Promise<EndedProcess>, onEnd: StartOptions["onEnd"]): void {
    const telling = end.then(
      (ended) => () => onEnd?.(ended),
      (error: unknown) => () => {
        throw error;
      },
    );
    const child = telling.then((tell) => {
      this.#children.delete(child);
      this.#due.push(tell);
      this.wakeUp();
    });
    this.#children.add(child);
  }
}
