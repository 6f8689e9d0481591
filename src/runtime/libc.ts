import type { Libc } from "./port.ts";

/** Where libc is: glibc, musl, macOS. */
const LIBRARIES = [
  "libc.so.6",
  `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
  "libSystem.B.dylib",
] as const;

/** The first of the C library's names that opens here. */
export function openLibrary<T>(open: (name: string) => T): T {
  const failures: string[] = [];
  for (const name of LIBRARIES) {
    try {
      return open(name);
    } catch (error) {
      failures.push(String(error));
    }
  }
  throw new Error(`no C library could be opened: ${failures.join("; ")}`);
}

/** What both foreign-function interfaces give, each after its own declaration. */
export interface Symbols {
  flock(descriptor: number, operation: number): number;
  waitpid(pid: number, status: Uint8Array | null, options: number): number;
  getrlimit(resource: number, limits: BigUint64Array): number;
  setrlimit(resource: number, limits: BigUint64Array): number;
  prctl: ((option: number, a: number, b: number, c: number, d: number) => number) | null;
  fallocate: ((descriptor: number, mode: number, offset: number, length: number) => number) | null;
  signal: (signal: number, action: number) => void;
  alarm: (seconds: number) => number;
}

const WNOHANG = 1;
const RLIMIT_NOFILE = process.platform === "darwin" ? 8 : 7;
const SIG_DFL = 0;

/** The port on top of the raw symbols, the same for both runtimes. */
export function libcFrom(symbols: Symbols): Libc {
  return {
    flock: (descriptor, operation) => symbols.flock(descriptor, operation),
    prctl: (option, argument) => symbols.prctl?.(option, argument, 0, 0, 0) ?? -1,
    fallocate: (descriptor, mode, offset, length) => symbols.fallocate?.(descriptor, mode, offset, length) ?? -1,
    reap: (pid) => symbols.waitpid(pid, null, WNOHANG),
    setOpenFilesLimit(soft) {
      const limits = new BigUint64Array(2);
      if (symbols.getrlimit(RLIMIT_NOFILE, limits) !== 0) return;
      limits[0] = BigInt(soft);
      symbols.setrlimit(RLIMIT_NOFILE, limits);
    },
    defaultSignal: (signal) => symbols.signal(signal, SIG_DFL),
    alarm: (seconds) => symbols.alarm(seconds),
  };
}
