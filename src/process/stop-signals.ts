import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { systemClock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { runtime } from "../runtime/index.ts";

export const STOPS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGABRT"] as const;
export type StopSignal = (typeof STOPS)[number];

/** Whom the signals are for. */
export interface Stoppable {
  stop(why: string): void;
  /** What runs may end; nothing more is begun. */
  finish(why: string): void;
  standStill(wanted: boolean): void;
}

/**
 * The signals to the worker. Handlers only note and wake. A signal that was ignored when we were started stays
 * without effect: anything else would undo `nohup`.
 */
export class StopSignals {
  readonly #handlers = new Map<NodeJS.Signals, () => void>();
  #worker: Stoppable | null = null;
  #stoppedBy: StopSignal | null = null;
  /** Asked, perhaps before there was anybody to be told. */
  #finishes = false;

  constructor() {
    const ignored = ignoredSignals();
    for (const signal of STOPS) {
      // Not left alone: with its first handler Deno takes all of them over, and ends by those that have none.
      if (ignored(constants.signals[signal])) this.#handle(signal, () => {});
      else this.#handle(signal, () => this.#stop(signal));
    }
    this.#handle("SIGUSR1", () => this.#finish());
    this.#handle("SIGTSTP", () => this.#worker?.standStill(true));
    this.#handle("SIGCONT", () => this.#worker?.standStill(false));
  }

  #finish(): void {
    this.#finishes = true;
    this.#worker?.finish("SIGUSR1");
  }

  #handle(signal: NodeJS.Signals, handler: () => void): void {
    this.#handlers.set(signal, handler);
    process.on(signal, handler);
  }

  #stop(signal: StopSignal): void {
    this.#stoppedBy ??= signal;
    this.#worker?.stop(signal);
  }

  /** Whom they are for from now on. */
  direct(worker: Stoppable): void {
    this.#worker = worker;
    if (this.#stoppedBy) worker.stop(this.#stoppedBy);
    if (this.#finishes) worker.finish("SIGUSR1");
  }

  /** The signal by which the process is to end. */
  get stoppedBy(): StopSignal | null {
    return this.#stoppedBy;
  }

  remove(): void {
    for (const [signal, handler] of this.#handlers) process.removeListener(signal, handler);
  }
}

/** A second signal after so many milliseconds means now; before that it is the same one, which several may send. */
const SAME_STOP_MS = 2000;

/**
 * For what goes through many things one after the other.
 *
 * @param ask the first signal: no more of them
 * @param breakOff a later one: not even the one in hand
 */
export function listenForStop(ask: () => void, breakOff: () => void): StopSignals {
  const signals = new StopSignals();
  let firstAt: number | null = null;
  const stop = (): void => {
    firstAt ??= systemClock.monotonic();
    ask();
    if (systemClock.monotonic() - firstAt > SAME_STOP_MS) breakOff();
  };
  signals.direct({ stop, finish: stop, standStill: () => {} });
  return signals;
}

/** What stands for the signal where it cannot be seen itself. */
export const exitCodeOf = (signal: StopSignal): number => 128 + constants.signals[signal];

/** Ends by the signal itself, so that the parent sees the truth; process 1, which no signal ends, goes on to its exit. */
export function dieBy(signal: StopSignal): void {
  // A runtime may take its handler away a moment after the last listener.
  runtime.libc().defaultSignal(constants.signals[signal]);
  if (process.pid !== 1) process.kill(process.pid, signal);
}

/** proc(5): SigIgn is a mask in hexadecimal, with bit n - 1 for signal n. */
export function ignoredSignals(): (signal: number) => boolean {
  try {
    const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
    return (signal) => ((mask >> BigInt(signal - 1)) & 1n) === 1n;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return () => false;
    throw error;
  }
}
