/**
 * What Reeve needs of the machine below it and that Bun and Deno offer under different names. One file per runtime
 * implements it; everything else they share through `node:` modules.
 */
export interface Runtime {
  readonly name: "bun" | "deno";
  /** Argv of this same program, to start a helper of it. */
  readonly self: readonly string[];
  /**
   * The same, to start a helper that calls {@link ImportModule}: modules that it imports may say `import … from NAME`
   * and get the module of ours at this address (`file:`).
   *
   * @param main the file of this program's entry, where another program has it as a package
   */
  selfImporting(name: string, address: string, main?: string): readonly string[];
  /** Whether a process can tell what modules it has imported. */
  readonly tellsImports: boolean;
  openDatabase(path: string, options: DatabaseOptions): Database;
  /** Whether `spawn` can start a program in a control group. */
  readonly entersGroups: boolean;
  /**
   * Starts a program as leader of its own session, with exactly the descriptors 0–3.
   *
   * @throws an `Error` with an errno `code` (`ENOENT`, `EACCES`, `E2BIG`, `EAGAIN`, …) when there is no child; some
   * runtimes report it later, through `onExit` with `failure`.
   */
  spawn(argv: readonly string[], options: SpawnOptions): SpawnedProcess;
  libc(): Libc;
  /**
   * write(2) to stdout or stderr, without holding up anything else while the reader is slow; the stream objects would
   * make the descriptor non-blocking for every process that shares it. Gives how many of the bytes were written.
   *
   * @throws an `Error` with an errno `code`.
   */
  write(descriptor: 1 | 2, bytes: Uint8Array): Promise<number>;
  /**
   * A `fetch` that trusts the servers whose certificates are signed by these, in PEM: on Bun only these, as
   * AWS_CA_BUNDLE has it, on Deno these too. Like the plain one it heeds HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
   */
  fetchTrusting(certificates: string): (url: string, init: RequestInit) => Promise<Response>;
  /**
   * Answers HTTP requests. `request.signal` is aborted when the client hangs up; after an answer it may be, too. The
   * file of a unix socket must not be there yet; it is for this user only.
   *
   * @throws an `Error` with an errno `code` (`EADDRINUSE`, `EACCES`, …) when the address cannot be had.
   */
  serve(address: ListenAddress, handler: HttpHandler): HttpServer;
}

/**
 * Imports a module of somebody else's, in TypeScript or JavaScript, with what it imports beside it and from
 * `node_modules`; by `name` it gets `served`. It stands apart, since a process that needs nothing else is to start fast.
 *
 * @throws whatever the module throws, or the runtime where it cannot be loaded
 */
export type ImportModule = (file: string, name: string, served: object) => Promise<Readonly<Record<string, unknown>>>;

/** Port 0: one that is free. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Who asks: an IP address, or null for a client of the unix socket. */
export interface Peer {
  readonly address: string | null;
}

/** Answers one request; what it throws is a fault, and answered with 500. */
export type HttpHandler = (request: Request, peer: Peer) => Promise<Response>;

export interface HttpServer {
  /** Null: it is a unix socket. */
  readonly port: number | null;
  /** Takes no more connections; done when all that was asked is answered. */
  drain(): Promise<void>;
  /** Breaks off what is still being answered. */
  close(): Promise<void>;
}

/** The kernel's link to the program of the process that opens it. */
export const OWN_LINK = "/proc/self/exe";

/** Seconds for which a connection may be silent: longer than the longest wait for a job. */
export const IDLE_SECONDS = 90;

export interface DatabaseOptions {
  readonly create: boolean;
}

export type SqlValue = string | number | bigint | null | Uint8Array;

export interface Statement<Row> {
  all(...values: SqlValue[]): Row[];
  get(...values: SqlValue[]): Row | undefined;
  /** Number of rows changed. */
  run(...values: SqlValue[]): number;
}

export interface Database {
  prepare<Row>(sql: string): Statement<Row>;
  /** Runs a string of several statements. */
  exec(sql: string): void;
  close(): void;
  /** SQLite's primary result code (https://sqlite.org/rescode.html) of what was thrown, or null. */
  resultCode(error: unknown): number | null;
}

/** How a child ended: an exit code, a signal, or neither where the runtime cannot say. */
export interface Exit {
  readonly code: number | null;
  /** `SIGTERM`, or `SIG40` for one without a name of its own. */
  readonly signal: string | null;
  /** What the runtime was told of the child's resources; absent where it cannot know. */
  readonly usage: ResourceUsage | null;
  /** Set when there never was a child. */
  readonly failure: Error | null;
}

export interface ResourceUsage {
  readonly userMicroseconds: number;
  readonly systemMicroseconds: number;
  /** Peak resident set in bytes, as getrusage(2) tells it: at least what the parent had at the spawn. Null: unknown. */
  readonly peakBytes: number | null;
}

export interface SpawnOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Open descriptors that become the child's 0, 1, 2 and 3. They stay open here. A pipe is for {@link SpawnedProcess.feed}. */
  readonly descriptors: readonly [stdin: number | "pipe", stdout: number, stderr: number, control: number];
  /** The open directory of a control group in which the child begins; only where {@link Runtime.entersGroups}. */
  readonly group?: number;
  /** As whom it runs, without any further groups; only for root. */
  readonly account?: Account;
  /** Called once, never before `spawn` has returned. */
  readonly onExit: (exit: Exit) => void;
}

/** The numbers of a user and of a group. */
export interface Account {
  readonly user: number;
  readonly group: number;
}

export interface SpawnedProcess {
  /** Undefined when the failure is still to be told through `onExit`. */
  readonly pid: number | undefined;
  /** This process may end before it. */
  unref(): void;
  /** Writes this to its standard input, which is a pipe, and closes that. What nobody reads is lost. */
  feed(bytes: Uint8Array): void;
}

/** The calls that neither runtime offers. Each gives libc's own return value. */
export interface Libc {
  /** flock(2). */
  flock(descriptor: number, operation: number): number;
  /** prctl(2) with up to four arguments; -1 where there is none (macOS). */
  prctl(option: number, argument: number): number;
  /** waitpid(2) with WNOHANG: reaps one adopted child, tells its pid, 0 or -1. */
  reap(pid: number): number;
  /** Sets the soft limit of open files, see getrlimit(2); the hard one stays. */
  setOpenFilesLimit(soft: number): void;
  /** fallocate(2); -1 where there is none (macOS). */
  fallocate(descriptor: number, mode: number, offset: number, length: number): number;
  /** signal(2) with SIG_DFL. */
  defaultSignal(signal: number): void;
  /** alarm(2): ALRM, of which a process dies, after so many seconds; 0: none any more. */
  alarm(seconds: number): number;
}
