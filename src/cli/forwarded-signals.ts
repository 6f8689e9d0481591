import { constants } from "node:os";
import { ignoredSignals, STOPS, type StopSignal } from "../process/stop-signals.ts";

/** Passed on as well, but no reason to end. */
const OTHERS = ["SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;

/** Whom the signals are for. */
export interface Receiver {
  /** To the command, as it is. */
  forward(signal: NodeJS.Signals): void;
  /** The command is to end; this is what it is sent first. Called again, it may have to end now. */
  stop(signal: StopSignal): void;
  again(signal: StopSignal): void;
}

/**
 * The signals to a command in the foreground: each is passed on to it at once, and the first that asks for an end
 * begins its stop. One that was ignored when we were started stays without effect, as under `nohup`; and so does
 * SIGTSTP, since who supervises must not stand still.
 */
export class ForwardedSignals {
  readonly #handlers = new Map<NodeJS.Signals, () => void>();
  readonly #impatience = Promise.withResolvers<void>();
  #receiver: Receiver | null = null;
  #stoppedBy: StopSignal | null = null;
  #stoppedAt = 0;
  #cancel: () => void = () => {};

  constructor() {
    const ignored = ignoredSignals();
    for (const signal of STOPS) this.#handle(signal, ignored, () => this.#stop(signal));
    for (const signal of OTHERS) this.#handle(signal, ignored, () => this.#receiver?.forward(signal));
    this.#handle("SIGTSTP", ignored, () => {});
  }

  #handle(signal: NodeJS.Signals, ignored: (signal: number) => boolean, handler: () => void): void {
    // An ignored one has a handler too: with its first handler Deno takes all of them over.
    const effective = ignored(constants.signals[signal]) ? () => {} : handler;
    this.#handlers.set(signal, effective);
    process.on(signal, effective);
  }

  #stop(signal: StopSignal): void {
    const isFirst = this.#stoppedBy === null;
    this.#stoppedBy ??= signal;
    if (isFirst) this.#stoppedAt = performance.now();
    if (this.#receiver === null) this.#impatience.resolve();
    else if (isFirst) this.#receiver.stop(signal);
    else this.#receiver.again(signal);
  }

  /** Null while there is nobody to be signalled. */
  direct(receiver: Receiver | null): void {
    this.#receiver = receiver;
    if (this.#stoppedBy) receiver?.stop(this.#stoppedBy);
  }

  /** The signal by which the process is to end; null: none came. */
  get stoppedBy(): StopSignal | null {
    return this.#stoppedBy;
  }

  /**
   * Until `work` is done; or until there is no time for it any more: a stop signal came when nobody was left to be
   * signalled, or so many milliseconds have passed since it came.
   */
  async unlessStopped(work: Promise<void>, budgetMs: number): Promise<void> {
    if (this.#stoppedBy) {
      const left = this.#stoppedAt + budgetMs - performance.now();
      const timer = setTimeout(() => this.#impatience.resolve(), left);
      this.#cancel = () => clearTimeout(timer);
    }
    await Promise.race([work, this.#impatience.promise]);
    this.#cancel();
  }

  remove(): void {
    for (const [signal, handler] of this.#handlers) process.removeListener(signal, handler);
  }
}
