import { dlopen } from "bun:ffi";
import { Database as BunDatabase } from "bun:sqlite";
import { write } from "node:fs";
import { forThisUserOnly } from "./sockets.ts";
import { libcFrom, openLibrary as open, type Symbols } from "./libc.ts";
import {
  IDLE_SECONDS,
  OWN_LINK,
  type Database,
  type DatabaseOptions,
  type Exit,
  type HttpHandler,
  type HttpServer,
  type Libc,
  type ListenAddress,
  type ResourceUsage,
  type Runtime,
  type SpawnOptions,
  type SpawnedProcess,
  type SqlValue,
} from "./port.ts";

function openDatabase(path: string, options: DatabaseOptions): Database {
  const database = new BunDatabase(path, { readwrite: true, create: options.create });
  return {
    prepare<Row>(sql: string) {
      const statement = database.prepare<Row, SqlValue[]>(sql);
      return {
        all: (...values: SqlValue[]) => statement.all(...values),
        get: (...values: SqlValue[]) => statement.get(...values) ?? undefined,
        run: (...values: SqlValue[]) => statement.run(...values).changes,
      };
    },
    exec: (sql) => void database.run(sql),
    close: () => database.close(true),
    resultCode: (error) =>
      error instanceof Error && "errno" in error && typeof error.errno === "number" ? error.errno & 0xff : null,
  };
}

function spawn(argv: readonly string[], options: SpawnOptions): SpawnedProcess {
  const { group, account } = options;
  const child = Bun.spawn([...argv], {
    cwd: options.cwd,
    env: options.environment,
    // Bun passes on exactly these and closes the rest (close-on-exec is set on all it opens).
    stdio: [...options.descriptors],
    detached: true,
    ...(group !== undefined && { cgroup: group }),
    ...(account && { uid: account.user, gid: account.group }),
    onExit: (subprocess) => options.onExit(exitOf(subprocess)),
  });
  return { pid: child.pid, unref: () => child.unref(), feed: (bytes) => feed(child, bytes) };
}

function feed({ stdin }: Bun.Subprocess, bytes: Uint8Array): void {
  if (typeof stdin !== "object") return;
  Promise.resolve(stdin.write(bytes)).catch(lost);
  Promise.resolve(stdin.end()).catch(lost);
}

/** Who has ended reads nothing, and is told of as such. */
const lost = (): void => {};

function exitOf(child: Bun.Subprocess): Exit {
  // A real-time signal has no name: it comes as a number, which the type does not say.
  const signal: string | number | null = child.signalCode;
  return {
    code: signal === null ? child.exitCode : null,
    signal: typeof signal === "number" ? `SIG${signal}` : signal,
    failure: null,
    usage: usageOf(child),
  };
}

function usageOf(child: Bun.Subprocess): ResourceUsage | null {
  const usage = child.resourceUsage();
  if (!usage) return null;
  return {
    userMicroseconds: Number(usage.cpuTime.user),
    systemMicroseconds: Number(usage.cpuTime.system),
    peakBytes: usage.maxRSS,
  };
}

let loaded: Libc | undefined;

function libc(): Libc {
  loaded ??= libcFrom(load());
  return loaded;
}

/**
 * The literal types let the interface infer what each symbol takes and gives.
 */
function load(): Symbols {
  const { symbols } = open((name) =>
    dlopen(name, {
      flock: { args: ["i32", "i32"], returns: "i32" },
      waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
      getrlimit: { args: ["i32", "ptr"], returns: "i32" },
      setrlimit: { args: ["i32", "ptr"], returns: "i32" },
      // The action is an address, and SIG_DFL is the address 0.
      signal: { args: ["i32", "usize"], returns: "usize" },
      alarm: { args: ["u32"], returns: "u32" },
    }),
  );
  return { ...symbols, ...linuxSymbols() };
}

function linuxSymbols(): Pick<Symbols, "prctl" | "fallocate"> {
  if (process.platform !== "linux") return { prctl: null, fallocate: null };
  return open((name) =>
    dlopen(name, {
      prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
      fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
    }),
  ).symbols;
}

function writeOut(descriptor: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

function serve(address: ListenAddress, handler: HttpHandler): HttpServer {
  const options = {
    // Else whoever asks is shown our source when something goes wrong.
    development: false,
    // How much may come is the handler's to say.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request: Request, server: Bun.Server<undefined>) =>
      handler(request, { address: server.requestIP(request)?.address ?? null }),
    error: () => new Response(null, { status: 500 }),
  };
  const server =
    address.kind === "unix"
      ? forThisUserOnly(() => serveAt({ ...options, unix: address.path }))
      : Bun.serve({
          ...options,
          hostname: address.host,
          port: address.port,
          // Outside of development Bun lets a second server listen beside the first, and each gets some of the requests.
          reusePort: false,
          idleTimeout: IDLE_SECONDS,
        });
  return {
    port: address.kind === "unix" ? null : (server.port ?? null),
    drain: () => server.stop(false),
    close: () => server.stop(true),
  };
}

function serveAt(options: Bun.Serve.Options<undefined> & { unix: string }): Bun.Server<undefined> {
  // A unix socket heeds it too, which the type does not say.
  Object.assign(options, { idleTimeout: IDLE_SECONDS });
  return Bun.serve(options);
}

const compiled = Bun.main.startsWith("/$bunfs/");

// A binary that was replaced on disk reads "… (deleted)" in execPath; the kernel's own link still opens it.
const self = compiled ? [process.platform === "linux" ? OWN_LINK : process.execPath] : [process.execPath, Bun.main];

export const runtime: Runtime = {
  name: "bun",
  self,
  // Nothing has to be said beforehand.
  selfImporting: (_name, _address, main) => (main === undefined ? self : [process.execPath, main]),
  tellsImports: true,
  openDatabase,
  entersGroups: process.platform === "linux",
  spawn,
  libc,
  write: writeOut,
  fetchTrusting: (ca) => (url, init) => fetch(url, { ...init, tls: { ca } }),
  serve,
};
