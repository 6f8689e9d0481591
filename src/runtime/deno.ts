import { spawn as spawnChild } from "node:child_process";
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { libcFrom, openLibrary, type Symbols } from "./libc.ts";
import { forThisUserOnly } from "./sockets.ts";
import type {
  Database,
  DatabaseOptions,
  Exit,
  HttpHandler,
  HttpServer,
  Libc,
  ListenAddress,
  Runtime,
  SpawnOptions,
  SpawnedProcess,
  SqlValue,
} from "./port.ts";

/** What is used of Deno's own interface. */
interface DenoNamespace {
  readonly mainModule: string;
  readonly stdout: Writer;
  readonly stderr: Writer;
  createHttpClient(options: { readonly caCerts: readonly string[] }): object;
  serve(options: ServeOptions, handler: DenoHandler): DenoServer;
  dlopen(path: string, symbols: Record<string, ForeignFunction>): { readonly symbols: Symbols };
}
interface ServeOptions {
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
  readonly signal: AbortSignal;
  readonly onListen: () => void;
  readonly onError: () => Response;
}
type DenoHandler = (
  request: Request,
  info: { readonly remoteAddr: { readonly hostname?: string } },
) => Promise<Response>;
interface DenoServer {
  readonly addr: { readonly port?: number };
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
}
interface Writer {
  write(bytes: Uint8Array): Promise<number>;
}
interface ForeignFunction {
  readonly parameters: readonly string[];
  readonly result: string;
}
interface RejectionEvent {
  readonly reason: { readonly message?: unknown } | undefined;
  preventDefault(): void;
}
type RejectionListener = (event: RejectionEvent) => void;
declare const Deno: DenoNamespace;
declare const self: { addEventListener(type: "unhandledrejection", listener: RejectionListener): void };

function openDatabase(path: string, options: DatabaseOptions): Database {
  // There is no flag for it here.
  if (!options.create && !existsSync(path)) throw new Error("unable to open database file");
  const database = new DatabaseSync(path);
  return {
    prepare<Row>(sql: string) {
      const statement = database.prepare(sql);
      // The rows have the columns that the statement names; only its author can say so.
      const rows = (values: SqlValue[]): Row[] => statement.all(...values) as Row[];
      return {
        all: (...values: SqlValue[]): Row[] => rows(values),
        get: (...values: SqlValue[]): Row | undefined => rows(values).at(0),
        run: (...values: SqlValue[]) => Number(statement.run(...values).changes),
      };
    },
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    resultCode,
  };
}

/** SQLite's own sentences: what `exec` throws carries no number. */
const RESULT_CODES = new Map([
  ["database is locked", 5],
  ["attempt to write a readonly database", 8],
  ["disk I/O error", 10],
  ["database disk image is malformed", 11],
  ["database or disk is full", 13],
  ["unable to open database file", 14],
  ["file is not a database", 26],
]);

function resultCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  return RESULT_CODES.get(error.message) ?? null;
}

/** `Deno.Command` takes no descriptors, so this goes through the Node-compatible layer, which takes them. */
function spawn(argv: readonly string[], options: SpawnOptions): SpawnedProcess {
  const [program = "", ...rest] = argv;
  const { account } = options;
  const child = spawnChild(program, rest, {
    cwd: options.cwd,
    env: { ...options.environment },
    stdio: [...options.descriptors],
    detached: true,
    ...(account && { uid: account.user, gid: account.group }),
  });
  const untold = namelessDeaths();
  const tell = (exit: Omit<Exit, "usage">): void => {
    if (child.pid !== undefined) untold.delete(child.pid);
    options.onExit({ ...exit, usage: null });
  };
  child.once("error", (failure) => tell({ code: null, signal: null, failure }));
  child.once("exit", (code, signal) => tell({ code, signal, failure: null }));
  if (child.pid !== undefined) untold.set(child.pid, () => tell({ code: null, signal: null, failure: null }));
  // Who has ended reads nothing, and is told of as such.
  child.stdin?.once("error", () => {});
  return { pid: child.pid, unref: () => child.unref(), feed: (bytes) => void child.stdin?.end(bytes) };
}

/** Long enough for the end of an ordinary child to be told by itself. */
const ORDINARY_END_MS = 100;

let waiting: Map<number, () => void> | undefined;

/**
 * Deno rejects a promise that nobody holds, and tells no exit, when a child dies by a real-time signal, since that has
 * no name. The children that are gone a little later without having been told are the ones it was.
 */
function namelessDeaths(): Map<number, () => void> {
  if (waiting) return waiting;
  const untold = new Map<number, () => void>();
  const tellTheGone = (): void => {
    for (const [pid, tell] of untold) if (!existsSync(`/proc/${pid}`)) tell();
  };
  self.addEventListener("unhandledrejection", (event) => {
    if (!/^Invalid signal: \d+$/.test(String(event.reason?.message))) return;
    event.preventDefault();
    setTimeout(tellTheGone, ORDINARY_END_MS);
  });
  waiting = untold;
  return untold;
}

let loaded: Libc | undefined;

function libc(): Libc {
  loaded ??= libcFrom(load());
  return loaded;
}

function load(): Symbols {
  const linux = process.platform === "linux";
  const wanted: Record<string, ForeignFunction> = {
    flock: { parameters: ["i32", "i32"], result: "i32" },
    waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
    getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    signal: { parameters: ["i32", "usize"], result: "usize" },
    alarm: { parameters: ["u32"], result: "u32" },
    ...(linux && {
      prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
      fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
    }),
  };
  const { symbols } = openLibrary((name) => Deno.dlopen(name, wanted));
  return linux ? symbols : { ...symbols, prctl: null, fallocate: null };
}

function serve(address: ListenAddress, handler: HttpHandler): HttpServer {
  silenceAdvice();
  const breakOff = new AbortController();
  const options = {
    signal: breakOff.signal,
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  };
  const answer: DenoHandler = (request, { remoteAddr }) => handler(request, { address: remoteAddr.hostname ?? null });
  const server =
    address.kind === "unix"
      ? forThisUserOnly(() => Deno.serve({ ...options, path: address.path }, answer))
      : Deno.serve({ ...options, hostname: address.host, port: address.port }, answer);
  let isDraining = false;
  return {
    port: server.addr.port ?? null,
    drain() {
      isDraining = true;
      return server.shutdown();
    },
    close() {
      // What is ending by itself cannot be hurried here, save by the end of the process.
      if (isDraining) return Promise.resolve();
      breakOff.abort();
      return server.finished;
    },
  };
}

/** A signal that is aborted after the answer, too, harms nobody here; Deno would say so between the lines of the log. */
function silenceAdvice(): void {
  const { warn } = console;
  console.warn = (...words: readonly unknown[]) => {
    if (!String(words[0]).startsWith("Deno.serve: request.signal")) warn(...words);
  };
}

/**
 * A name is given to a module by an import map only, before the program begins; and only where it does not look after
 * them itself are packages found in the `node_modules` beside whatever imports them.
 */
function selfImporting(name: string, address: string, main: string = MAIN): readonly string[] {
  const map = `data:application/json,${encodeURIComponent(JSON.stringify({ imports: { [name]: address } }))}`;
  return [process.execPath, "run", "-A", "--node-modules-dir=manual", "--import-map", map, main];
}

const MAIN = fileURLToPath(Deno.mainModule);

export const runtime: Runtime = {
  name: "deno",
  self: [process.execPath, "run", "-A", MAIN],
  selfImporting,
  tellsImports: false,
  openDatabase,
  entersGroups: false,
  spawn,
  libc,
  write: (descriptor, bytes) => (descriptor === 1 ? Deno.stdout : Deno.stderr).write(bytes),
  fetchTrusting(certificates) {
    const client = Deno.createHttpClient({ caCerts: [certificates] });
    return (url, init) => {
      // A field that is Deno's alone.
      const request = { ...init, client };
      return fetch(url, request);
    };
  },
  serve,
};
