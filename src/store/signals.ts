import { constants } from "node:os";

const NUMBERS = new Map<string, number>(Object.entries(constants.signals));

/** What a death by each of them says, as signal(7) and shells have it. */
const WORDS: Readonly<Record<string, string>> = {
  SIGHUP: "hung up",
  SIGINT: "interrupted",
  SIGQUIT: "quit",
  SIGILL: "illegal instruction",
  SIGTRAP: "trace trap",
  SIGABRT: "aborted",
  SIGBUS: "bus error",
  SIGFPE: "arithmetic error",
  SIGKILL: "killed",
  SIGUSR1: "user-defined signal 1",
  SIGSEGV: "segmentation fault",
  SIGUSR2: "user-defined signal 2",
  SIGPIPE: "broken pipe",
  SIGALRM: "alarm clock",
  SIGTERM: "terminated",
  SIGSTKFLT: "stack fault",
  SIGXCPU: "processor time limit exceeded",
  SIGXFSZ: "file size limit exceeded",
  SIGVTALRM: "virtual timer expired",
  SIGPROF: "profiling timer expired",
  SIGIO: "input or output possible",
  SIGPWR: "power failure",
  SIGSYS: "bad system call",
};

/** 0 where this system has no such signal. Those for real-time use have no name but their number (`SIG40`). */
export const signalNumber = (name: string): number => NUMBERS.get(name) ?? Number(/^SIG(\d+)$/.exec(name)?.[1] ?? 0);

/** `SIGKILL (9), killed`; null: the runtime could not say which signal it was. */
export function describeSignal(name: string | null): string {
  if (name === null) return "a signal that the runtime cannot name";
  const word = WORDS[name] ?? (NUMBERS.has(name) ? null : "real-time signal");
  return `${name} (${signalNumber(name)})${word === null ? "" : `, ${word}`}`;
}
