import { usageError } from "../errors.ts";
import type { WorkerEvent } from "../events.ts";
import { StopSignals, type StopSignal } from "../process/stop-signals.ts";
import { STAY, type Goal, type WorkerEnd } from "../worker/ports.ts";
import type { Worker as InnerWorker } from "../worker/worker.ts";
import { dispatchedJob, type DispatchedJob } from "./dispatched.ts";
import { WorkerFailed } from "./errors.ts";
import { Listeners, type WorkerEventOf, type WorkerEventType } from "./listeners.ts";
import { milliseconds } from "./request.ts";
import type { Duration } from "./settings.ts";
import type { RunOptions, WorkerOptions } from "./worker-options.ts";
import { Workshop } from "./workshop.ts";

export type { JobDocument } from "../uws/document.ts";
export type { Phase } from "../store/phases.ts";
export type { WorkerEnd, WorkerEvent };
/**
 * Ends this process by a signal, as {@link Worker.stoppedBy} has it, so that its parent sees the truth. Process 1, which
 * no signal ends, goes on.
 */
export { dieBy as endBySignal } from "../process/stop-signals.ts";

const NOTHING: WorkerEnd = { counts: { completed: 0, failed: 0, putBack: 0 }, ranAny: false };

/**
 * Runs jobs as supervised child processes. Several may be in one process, each with a store of its own or the same. It
 * prints nothing, and handles no signals unless it is asked to.
 */
export class Worker implements AsyncDisposable {
  readonly #workshop: Workshop;
  readonly #listeners = new Listeners();
  readonly #signals: StopSignals | null;
  #inner: InnerWorker | null = null;
  #underway: Promise<unknown> | null = null;
  #isExiting = false;

  /** @throws ReeveError for a name or a number that cannot be */
  constructor(options: WorkerOptions) {
    this.#workshop = new Workshop(options, this.#listeners.tell);
    this.#signals = options.handleSignals ? new StopSignals() : null;
    this.#signals?.direct({
      stop: (why) => void this.stop(why),
      finish: (why) => this.finish(why),
      standStill: (wanted) => this.standStill(wanted),
    });
  }

  /** What it is called in errors, and the beginning of what it is called in the store. */
  get name(): string {
    return this.#workshop.name;
  }

  /** It was asked to stop or to finish, and takes nothing more. */
  get isExiting(): boolean {
    return this.#isExiting;
  }

  /** The signal that stopped it, where it handles signals; null: none did. */
  get stoppedBy(): StopSignal | null {
    return this.#signals?.stoppedBy ?? null;
  }

  /**
   * Calls back at each event of that type. What a listener throws is an uncaught error of this program.
   *
   * @returns the way to stop listening
   */
  on<Type extends WorkerEventType>(type: Type, listener: (event: WorkerEventOf<Type>) => void): () => void {
    return this.#listeners.add(type, listener);
  }

  /** The same for all types. */
  onEvent(listener: (event: WorkerEvent) => void): () => void {
    return this.#listeners.addToAll(listener);
  }

  /**
   * Works until it is stopped, or one of `options` is reached.
   *
   * @returns what became of its jobs
   * @throws WorkerFailed when it cannot go on; ReeveError for a setting that is wrong
   */
  async run(options: RunOptions = {}): Promise<WorkerEnd> {
    return this.#work({
      ...STAY,
      drain: options.drain ?? false,
      maxJobs: options.maxJobs ?? null,
      maxTimeMs: milliseconds("maxTime", options.maxTime),
      idleExitMs: milliseconds("idleExit", options.idleExit),
    });
  }

  /**
   * Takes one job, runs it to its end, and tells its queue.
   *
   * @param options.wait for so long a job may be waited for; without it only what is there is taken (on SQS: within 1 s)
   * @returns what came of it; null: there was none, or the worker is exiting
   * @throws WorkerFailed when it cannot go on. How the job ended is no reason to throw: see {@link DispatchedJob.error}
   */
  async dispatchOne({ wait }: { readonly wait?: Duration } = {}): Promise<DispatchedJob | null> {
    const idleExitMs = milliseconds("wait", wait) || null;
    const ended: WorkerEventOf<"job ended">[] = [];
    const adopted = new Set<string>();
    const unheard = [
      this.on("job adopted", ({ job }) => void adopted.add(job)),
      this.on("job ended", (event) => void (adopted.has(event.job) || ended.push(event))),
    ];
    try {
      await this.#work({ ...STAY, maxJobs: 1, whenEmpty: idleExitMs === null, idleExitMs });
    } finally {
      for (const stop of unheard) stop();
    }
    const [event] = ended;
    return event ? dispatchedJob(this.#workshop.store, this.name, event) : null;
  }

  /**
   * Ends its jobs within the stop budget, and takes nothing more; asked again after 2 s, it ends them at once.
   *
   * @returns when it has ended
   */
  async stop(why = "its program asked for it"): Promise<void> {
    this.#isExiting = true;
    this.#inner?.stop(why);
    // Whoever had it work is told what kept it from that.
    await this.#underway?.catch(() => {});
  }

  /** Takes nothing more, and ends when what runs has ended. */
  finish(why = "its program asked for it"): void {
    this.#isExiting = true;
    this.#inner?.finish(why);
  }

  /** Has all its jobs stand still and takes no more, or has them go on. */
  standStill(wanted: boolean): void {
    this.#inner?.standStill(wanted);
  }

  /** Stops it, and gives back what it has open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("its program is done with it");
    this.#signals?.remove();
    this.#workshop.close();
  }

  async #work(goal: Goal): Promise<WorkerEnd> {
    if (this.#underway) throw usageError(`worker ${this.name} is at work`, "make another to work beside it");
    if (this.#isExiting) return NOTHING;
    const work = this.#workTo(goal);
    this.#underway = work;
    try {
      return await work;
    } finally {
      this.#underway = null;
      this.#inner = null;
    }
  }

  async #workTo(goal: Goal): Promise<WorkerEnd> {
    const { worker: inner, close } = await this.#workshop.make(goal);
    this.#inner = inner;
    // Asked meanwhile.
    if (this.#isExiting) inner.stop("its program asked for it");
    try {
      return await inner.work();
    } catch (error) {
      throw new WorkerFailed(this.name, this.#workshop.explained(error));
    } finally {
      close();
    }
  }
}
