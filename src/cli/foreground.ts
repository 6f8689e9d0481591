import { systemClock } from "../clock.ts";
import type { Containment } from "../config/definition.ts";
import { codeOf, EXIT, messageOf } from "../errors.ts";
import type { WorkerEvent } from "../events.ts";
import { ProcessManager } from "../process/manager.ts";
import type { StopOrder } from "../process/port.ts";
import { OwnJob } from "../queue/own-job.ts";
import { runtime } from "../runtime/index.ts";
import { describeEnding } from "../store/endings.ts";
import { foregroundOf } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import type { NewJob } from "../store/submission.ts";
import { KernelLocks } from "../worker/locks.ts";
import type { WorkerSettings } from "../worker/ports.ts";
import { Worker } from "../worker/worker.ts";
import { forPeople } from "./context.ts";
import { remarkOn, wayOut, type CommandEnd, type WayOut } from "./foreground-end.ts";
import type { ForwardedSignals, Receiver } from "./forwarded-signals.ts";
import { LiveOutput } from "./live-output.ts";
import { safe } from "./render/text.ts";
import type { StopSignal } from "../process/stop-signals.ts";

const PLAIN = {
  SIGHUP: "HUP",
  SIGINT: "INT",
  SIGQUIT: "QUIT",
  SIGTERM: "TERM",
  SIGABRT: "ABRT",
} as const satisfies Record<StopSignal, StopOrder["signal"]>;

export interface ForegroundOptions {
  readonly job: NewJob;
  readonly settings: WorkerSettings;
  readonly containment: Containment;
  readonly store: Store;
  readonly signals: ForwardedSignals;
}

/** One job in the foreground of this process: what it writes is shown as it comes, signals to us are its own. */
export class Foreground {
  readonly #job: NewJob;
  readonly #store: Store;
  readonly #signals: ForwardedSignals;
  readonly #settings: WorkerSettings;
  readonly #processes: ProcessManager;
  readonly #worker: Worker;
  readonly #output: LiveOutput;
  /** The job writes to our streams itself. */
  readonly #isDirect: boolean;
  readonly #remarks: string[] = [];
  /** Kept when what the job said to the log is on stderr. */
  #said: Promise<void> = Promise.resolve();
  #end: CommandEnd | null = null;

  constructor({ job, settings, containment, store, signals }: ForegroundOptions) {
    this.#isDirect = foregroundOf(job)?.direct ?? false;
    this.#job = job;
    this.#store = store;
    this.#signals = signals;
    this.#settings = settings;
    this.#output = new LiveOutput(runtime.write, (error) => this.#readerHasGone(error));
    const own = { stdin: true, output: this.#isDirect, seen: this.#output.passed };
    this.#processes = new ProcessManager(runtime, systemClock, containment, own);
    this.#worker = new Worker(settings, {
      clock: systemClock,
      random: Math.random,
      store,
      queues: [new OwnJob(store, job, settings.id, systemClock.now)],
      processes: this.#processes,
      locks: new KernelLocks(runtime.libc()),
      emit: (event) => this.#take(event),
    });
  }

  /**
   * Runs it to its end, and shows all that it wrote. `lastLine` gives what stderr is to end with.
   *
   * @throws ReeveError when nothing was started, since nothing could be recorded.
   */
  async run(lastLine: () => string | null): Promise<WayOut> {
    this.#signals.direct(this.#receiver());
    const failure = await this.#worker.work().then(
      () => null,
      (error: unknown) => ({ of: error }),
    );
    this.#signals.direct(null);
    if (failure && this.#end === null) throw forPeople(this.#store, failure.of);
    await this.#signals.unlessStopped(this.#show(lastLine), this.#settings.stopBudgetMs);
    return this.#wayOut();
  }

  #receiver(): Receiver {
    return {
      forward: (signal) => this.#processes.signalAll(signal),
      stop: (signal) => this.#worker.stop(signal, PLAIN[signal]),
      again: (signal) => {
        this.#processes.signalAll(signal);
        this.#worker.stop(signal);
      },
    };
  }

  #take(event: WorkerEvent): void {
    switch (event.type) {
      case "job started":
        return this.#isDirect ? undefined : this.#output.follow(this.#slotDirectory());
      case "job ended":
        if (event.job === this.#job.id) this.#end = event;
        return;
      case "end not recorded":
        this.#end = { end: event.end, settlement: null };
        return void this.#remarks.push(
          `the end of job ${event.job} (${describeEnding(event.end)}) was not recorded: ${event.why}`,
        );
      case "job warning":
        return void this.#remarks.push(event.warning);
      case "job said":
        return event.level === "debug" ? undefined : this.#say(event.said);
      case "trouble":
        return void this.#remarks.push(event.what);
      default:
    }
  }

  /** As it comes, between what it writes. */
  #say(text: string): void {
    this.#said = this.#said.then(() => this.#output.say(`reeve: ${safe(text)}`));
  }

  #slotDirectory(): string {
    const job = this.#store.jobs.byId(this.#job.id);
    const attempt = job && this.#store.attempts.one(job.seq, job.attempts);
    if (!attempt) throw new Error(`job ${this.#job.id} has started, but its start is not in the store`);
    return attempt.directory;
  }

  #readerHasGone(error: unknown): void {
    if (codeOf(error) !== "EPIPE") this.#remarks.push(`its output could not be passed on: ${messageOf(error)}`);
    this.#worker.stop("nobody reads its output any more");
  }

  async #show(lastLine: () => string | null): Promise<void> {
    await Promise.all([this.#output.finish(), this.#said]);
    const remark = this.#end && remarkOn(this.#end);
    const remarks = [...this.#remarks, ...(remark === null ? [] : [remark])];
    for (const text of remarks) await this.#output.say(`reeve: ${safe(text)}`);
    const last = lastLine();
    if (last !== null) await this.#output.say(last);
  }

  #wayOut(): WayOut {
    if (this.#signals.stoppedBy) return { signal: this.#signals.stoppedBy };
    const { broken } = this.#output;
    if (broken) return codeOf(broken.by) === "EPIPE" ? { signal: "SIGPIPE" } : { code: EXIT.jobFailed };
    return this.#end ? wayOut(this.#end) : { code: EXIT.jobFailed };
  }
}
