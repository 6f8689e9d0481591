import type { Limits, StopSignal } from "../config/definition.ts";
import type { Body } from "../config/message-body.ts";
import type { Output, Result } from "../store/job.ts";
import type { Exit } from "../runtime/port.ts";

/** What names one tree of processes, for whoever looks for it in the system. */
export interface TreeName {
  readonly job: string;
  readonly attempt: number;
  /** What an attempt starts beside the job itself has a tree of its own, so that one can be ended without the other. */
  readonly role: "job" | "exit handler";
}

/** Everything that an attempt's main process is started with. */
export interface Launch extends TreeName {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A file is moved into the slot: it is the job's own from then on. */
  readonly body: Body;
  /** What of them concerns processes and output. */
  readonly limits: Limits;
  /** The directory that is kept for the job when something is in it. */
  readonly jobDirectory: string;
  /** It is started before there is a job for it, of which a pipe tells it that is its standard input. */
  readonly waits?: true;
}

/** How a main process ended, and what else the system knows of it. */
export interface TreeExit extends Exit {
  /** The kernel killed for want of memory: of the job's own, or of the machine's. Absent: not that it is known. */
  readonly outOfMemory?: "limit" | "machine";
  /** Milliseconds since 1970, where that was written down; absent: when it was told. */
  readonly endedAt?: number;
}

export interface StopOrder {
  readonly signal: StopSignal | "ABRT";
  /** Milliseconds between the signal and KILL. */
  readonly graceMs: number;
}

/** How far a job says it is, from 0 to 1. */
export interface Progress {
  readonly fraction: number;
  readonly message: string | null;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
}

/** What a job has said since it was last heard. */
export interface Heard {
  readonly progress: Progress | null;
  /** For so many seconds from now it wants to be allowed to run; null: it has not said. */
  readonly deadlineSeconds: number | null;
  readonly log: readonly LogLine[];
  /** Bytes of its messages that have been heard in all. */
  readonly upTo: number;
}

/** What an attempt left behind, taken in whole. */
export interface Takings {
  readonly outputs: readonly Output[];
  readonly results: readonly Result[];
  readonly progress: Progress | null;
  /** What the job itself said was wrong. */
  readonly error: { readonly message: string; readonly type: "transient" | "fatal"; readonly detail?: string } | null;
  /** Milliseconds after which it wants to be run again, where its exit code puts it back; absent: not said. */
  readonly releaseMs?: number;
  /** What was wrong with what it said: never fatal. */
  readonly warnings: readonly string[];
  /** Log lines of the job's own that were not heard before; absent: none. */
  readonly said?: readonly LogLine[];
}

/** A tree of processes, from its spawn until it is seen gone. */
export interface RunningTree {
  readonly pid: number;
  /** The main process has ended; what it started may live on. */
  readonly exited: Promise<TreeExit>;
  /** Whether the main process has ended, as the system sees it: perhaps nobody has been told yet. */
  hasEnded(): boolean;
  /** TERM → grace → KILL to the whole tree, once; a second order does nothing. */
  stop(order: StopOrder): void;
  /** Writes down what names the main process for good: for those that run for a while, since it costs a look. */
  remember(): void;
  /** KILL to the whole tree, whatever order is being carried out. */
  kill(): void;
  /** To the group of the job's main process, as it is: what somebody has to say to the job. */
  forward(signal: NodeJS.Signals): void;
  /** SIGSTOP to the whole tree; kept when all of it stands still. */
  suspend(): Promise<void>;
  /** SIGCONT to the whole tree. */
  resume(): void;
  /**
   * After `exited`: sees to it that nothing of the tree is left. Gives null, or a sentence that says what could not
   * be ended.
   */
  gone(order: StopOrder): Promise<string | null>;
  /** After `exited`, instead of `gone`: what the main process left running lives on, and nobody here ends it. */
  leave(): void;
  /** It is another worker's from now on: nothing more is told of it here, and this process may end before it. */
  letGo(): void;
}

/** The place of one running job: its files, used again by the next. */
export interface Slot {
  readonly directory: string;
  /**
   * Starts the main process.
   *
   * @throws SpawnFailed when there is no process.
   */
  start(launch: Launch): RunningTree;
  /** The variables that tell a job of its files, for who cleans up after it. */
  places(launch: Launch): Readonly<Record<string, string>>;
  /**
   * Calls back with what the job says, soon after it does, until it is taken in, or another's. `heard`: so many bytes of
   * its messages an earlier worker has heard.
   */
  listen(hear: (heard: Heard) => void, heard: number): void;
  /** The attempt is over: reads a part of what it said. Gives whether there is more, which {@link collect} would read at once. */
  catchUp(): boolean;
  /** Output, results and messages of the tree that is gone. They stay in the slot until the next start. */
  collect(launch: Launch): Takings;
  close(): void;
}

/** A place in which a process may wait for a job. */
export interface WarmSlot extends Slot {
  /**
   * Starts one for jobs that are launched alike but for their environment and body: the next `start` is for such a job,
   * and gives it this process.
   *
   * @throws SpawnFailed when there is no process.
   */
  prepare(launch: Omit<Launch, keyof TreeName | "body" | "jobDirectory">): Spare;
}

/** A process that waits for a job. */
export interface Spare {
  readonly exited: Promise<TreeExit>;
  /** It has not been given to a job. */
  readonly isWaiting: boolean;
  hasEnded(): boolean;
  /** The files that it has loaded; null: it is not ready. */
  loaded(): readonly string[] | null;
  /** The end of what it wrote. */
  output(): string;
  /** Kept when nothing of it is left. */
  end(): Promise<void>;
}

/** What is left of an attempt whose worker is dead. */
export type Remains =
  /** How it ended nobody knows. */
  | { readonly kind: "gone"; readonly pid: number | null; readonly takings: Takings }
  /** It outlived its worker, and is this worker's from now on. It may have ended since; then how is known. */
  | { readonly kind: "outlived"; readonly tree: RunningTree; readonly slot: Slot }
  /** It cannot be known here whether something of it still runs; `what` says why. */
  | { readonly kind: "unknown"; readonly what: string };

export interface DeadAttempt extends TreeName {
  readonly directory: string;
  readonly jobDirectory: string;
  readonly limits: Limits;
  readonly bootId: string;
  readonly pidNamespace: string;
  /** The worker was process 1 of its namespace: nothing in there outlived it. */
  readonly workerWasInit: boolean;
  /** Whether it may go on, if it still runs; else it is ended. */
  readonly mayGoOn: boolean;
}

/** What the worker needs of the system's processes. */
export interface Processes {
  openSlot(directory: string): Slot;
  /** Null: nothing can wait for a job here. */
  warmSlot(directory: string): WarmSlot | null;
  /**
   * The place of one attempt that is to go on when its worker ends. The directory is made at the start; `close` removes
   * it.
   */
  outlivingSlot(directory: string): Slot;
  /** Ends what is left of a dead worker's attempt, and takes in what it left. */
  recover(attempt: DeadAttempt): Promise<Remains>;
  /** Called when no job runs: what could not be told apart among jobs dies now, and adopted zombies are reaped. */
  sweep(): Promise<void>;
}

/** There is no process: no such program, no permission, no memory. */
export class SpawnFailed extends Error {
  override readonly name = "SpawnFailed";
  /** `ENOENT`, `EACCES`, `E2BIG`, `EAGAIN`, …; `EINVAL` where the runtime gives none. */
  readonly errno: string;
  constructor(errno: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errno = errno;
  }
}
