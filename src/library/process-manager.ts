import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { DEFAULT_LIMITS, type Containment, type Limits, type StopSignal } from "../config/definition.ts";
import { inlineBody } from "../config/message-body.ts";
import { usageError } from "../errors.ts";
import { foregroundEnvironment } from "../process/environment.ts";
import { ProcessManager as Processes } from "../process/manager.ts";
import { SpawnFailed, type Launch, type RunningTree, type Slot, type Takings } from "../process/port.ts";
import { randomHex } from "../process/random.ts";
import { runtime } from "../runtime/index.ts";
import type { Environment } from "./opening.ts";
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

export interface StartOptions {
  /** This process's own. */
  readonly cwd?: string | undefined;
  /** All that it has; this process's own, but for what is meant for its runtime. */
  readonly environment?: Environment | undefined;
  /** On its stdin; nothing. */
  readonly body?: string | Uint8Array | undefined;
  /** Called in the next {@link ProcessManager.step} after it has ended. */
  readonly onEnd?: ((ended: EndedProcess) => void) | undefined;
}

/** A process that has ended, and nothing of its tree is left. */
export interface EndedProcess {
  readonly pid: number;
  readonly command: readonly string[];
  /** Null: a signal ended it, or how is not known. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What it wrote to stdout and stderr, in that order in which it came. */
  readonly output: Uint8Array;
  /** What of its tree could not be ended, in words; null: nothing. */
  readonly left: string | null;
}

interface Child {
  readonly tree: RunningTree;
  readonly ended: Promise<void>;
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
  readonly #children = new Set<Child>();
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
    const child: Child = { tree, ended: this.#follow(slot, tree, launch, options.onEnd) };
    this.#children.add(child);
    void child.ended.finally(() => this.#children.delete(child));
    return tree.pid;
  }

  /**
   * Waits until a process has ended or {@link wakeUp} is called, and calls back for all that have ended.
   *
   * @returns how many these were
   */
  async step(): Promise<number> {
    if (this.#due.length === 0) await this.#wake.promise;
    this.#wake = Promise.withResolvers();
    let told = 0;
    for (let tell = this.#due.shift(); tell; tell = this.#due.shift()) {
      told += 1;
      // What it throws is the caller's; the others are left for the next step.
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
    while (this.#children.size > 0) await Promise.all([...this.#children].map(({ ended }) => ended));
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

  async #follow(slot: Slot, tree: RunningTree, launch: Launch, onEnd: StartOptions["onEnd"]): Promise<void> {
    const exit = await tree.exited;
    const left = await tree.gone(this.#order);
    const { outputs } = slot.collect(launch);
    const output = outputOf(outputs);
    remove(slot);
    const ended = { pid: tree.pid, command: launch.argv, exitCode: exit.code, signal: exit.signal, output, left };
    this.#due.push(() => onEnd?.(ended));
    this.wakeUp();
  }
}

/** @throws SpawnFailed when there is no process, and nothing is left of its place. */
function startIn(slot: Slot, launch: Launch): RunningTree {
  try {
    return slot.start(launch);
  } catch (error) {
    remove(slot);
    throw error;
  }
}

function remove(slot: Slot): void {
  slot.close();
  rmSync(slot.directory, { recursive: true, force: true });
}

interface Place {
  readonly directory: string;
  readonly name: string;
  readonly graceMs: number;
}

function launchOf(argv: readonly string[], options: StartOptions, { directory, name, graceMs }: Place): Launch {
  const { cwd = ".", environment = process.env, body } = options;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : (body ?? null);
  const limits: Limits = { ...DEFAULT_LIMITS, graceMs };
  return {
    job: name,
    attempt: 1,
    role: "job",
    argv,
    cwd: resolve(cwd),
    environment: foregroundEnvironment(environment, {}),
    body: inlineBody(bytes),
    limits,
    jobDirectory: join(directory, "kept"),
  };
}

function outputOf([output]: Takings["outputs"]): Uint8Array {
  if (!output) return new Uint8Array();
  return output.content.kind === "inline" ? output.content.bytes : new Uint8Array(readFileSync(output.content.path));
}
