import { rmSync } from "node:fs";
import { systemClock } from "../clock.ts";
import type { Configuration } from "../config/definition.ts";
import { EXIT, messageOf } from "../errors.ts";
import type { FunctionModule } from "../functions/definitions.ts";
import { createLog, type Log } from "../log.ts";
import { runtime } from "../runtime/index.ts";
import type { HttpServer, ListenAddress } from "../runtime/port.ts";
import { proxiesOf } from "../service/addresses.ts";
import { limitsOf } from "../service/limits.ts";
import { Service } from "../service/service.ts";
import { keepClean } from "../service/staging.ts";
import type { Store } from "../store/store.ts";
import type { Worker } from "../worker/worker.ts";
import { locateStore, openStore } from "./context.ts";
import { readDefinitions } from "./definitions.ts";
import { newId } from "../store/new-id.ts";
import type { Invocation } from "./invocation.ts";
import { liveJobsOf } from "./serving/live-jobs.ts";
import { describeAddress, listen, namesOf, readAddress, readNames } from "./serving/listening.ts";
import { isAlive, takingWorkers } from "./living-workers.ts";
import { startWorker } from "./serving/own-worker.ts";
import { dieBy, exitCodeOf, StopSignals } from "../process/stop-signals.ts";

const DEFAULT_ADDRESS = "127.0.0.1:8080";
/** Milliseconds that answers may take when the server is to stop. */
const DRAIN_MS = 5000;
/** Tries of a locked store before a client is told to come again: about a second. */
const BUSY_TRIES = 15;

const NO_WORKER = "no worker is running on this store: --concurrency starts one here, `reeve work` another";

/** `reeve serve`: the definitions as services, until a signal ends it; with a worker where one is asked for. */
export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const { configuration, modules } = await readDefinitions(options);
  const hasUsers = configuration.users.size > 0;
  const address = readAddress(options.text("listen") ?? DEFAULT_ADDRESS, process.cwd(), hasUsers);
  const names = readNames(options.texts("allow-host"));
  const log = await createLog({ quiet: options.flag("quiet"), ndjson: options.switched("json") });
  const signals = new StopSignals();
  try {
    await serve(invocation, { address, names, configuration, modules, log, signals });
    return signals.stoppedBy === null ? EXIT.done : exitCodeOf(signals.stoppedBy);
  } finally {
    await log.close();
    signals.remove();
    if (signals.stoppedBy) dieBy(signals.stoppedBy);
  }
}

interface Parts {
  readonly address: ListenAddress;
  /** By which clients know it beside that address. */
  readonly names: readonly string[];
  readonly configuration: Configuration;
  readonly modules: readonly FunctionModule[];
  readonly log: Log;
  readonly signals: StopSignals;
}

interface OpenParts extends Parts {
  readonly store: Store;
  /** Rejected when the store's file is not there any more, or is another. */
  readonly gone: PromiseWithResolvers<never>;
}

async function serve(invocation: Invocation, parts: Parts): Promise<void> {
  const { address, configuration, log } = parts;
  const location = locateStore(invocation.options, configuration);
  const store = openStore(location, configuration, { patience: "fail", busyTries: BUSY_TRIES });
  const open: OpenParts = { ...parts, store, gone: Promise.withResolvers() };
  open.gone.promise.catch(() => null);
  const stopCleaning = keepClean(location, systemClock, (error) => tellFault(log, error));
  try {
    const service = makeService(open);
    const server = await listen(runtime, address, service.handle);
    log.emit({ type: "service started", address: describeAddress(address, server.port) });
    await answerUntilStopped(new RunningServer(service, server), invocation, open);
    if (address.kind === "unix") rmSync(address.path, { force: true });
    log.emit({ type: "service ended" });
  } finally {
    stopCleaning();
    store.close();
  }
}

function tellFault(log: Log, error: unknown): void {
  const what = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
  log.emit({ type: "request failed", what });
}

/** A worker that cannot begin or go on takes the server with it: whoever asks would wait for jobs that nobody runs. */
async function answerUntilStopped(
  server: RunningServer,
  invocation: Invocation,
  { configuration, modules, log, signals, store, gone }: OpenParts,
): Promise<void> {
  try {
    const worker = invocation.options.has("concurrency")
      ? await startWorker(invocation, { configuration, modules }, log)
      : null;
    if (!worker && (await takingWorkers(store)).length === 0) log.emit({ type: "warning", what: NO_WORKER });
    signals.direct(both(server, worker?.worker ?? null));
    // A worker looks for itself, and ends its jobs before it gives up.
    await (worker?.ended ?? Promise.race([server.ended, gone.promise]));
  } finally {
    server.stop();
    await server.ended;
  }
}

function makeService({ address, names, configuration, store, log, gone }: OpenParts): Service {
  return new Service({
    store,
    definitions: configuration.definitions,
    clock: systemClock,
    newId,
    live: liveJobsOf(store),
    limits: limitsOf(configuration.service),
    access: { users: configuration.users, anonymous: configuration.service.anonymous },
    hosts: new Set([...names, ...namesOf(address)].map((name) => name.toLowerCase())),
    isProxy: proxiesOf(configuration.service.proxies),
    isAlive: (worker) => isAlive(worker, runtime.libc()),
    onGone: gone.reject,
    onFault: (error) => tellFault(log, error),
  });
}

/** A server that is answering, until it is told to stop. */
class RunningServer {
  readonly ended: Promise<void>;
  readonly #service: Service;
  readonly #server: HttpServer;
  readonly #end = Promise.withResolvers<void>();
  #isStopping = false;

  constructor(service: Service, server: HttpServer) {
    this.#service = service;
    this.#server = server;
    this.ended = this.#end.promise;
  }

  /** Nothing new is taken, and what has been asked is answered. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#service.end();
    const cancel = systemClock.after(DRAIN_MS, () => this.#breakOff());
    this.#server.drain().finally(cancel).then(this.#end.resolve, this.#end.reject);
  }

  #breakOff(): void {
    this.#server.close().then(this.#end.resolve, this.#end.reject);
  }
}

/** What the signals are for: the worker, where there is one, knows what each of them means. */
function both(server: RunningServer, worker: Worker | null): Pick<Worker, "stop" | "finish" | "standStill"> {
  return {
    stop(why, signal) {
      server.stop();
      worker?.stop(why, signal);
    },
    // As long as jobs run, somebody may ask for them.
    finish: (why) => (worker ? worker.finish(why) : server.stop()),
    standStill: (wanted) => worker?.standStill(wanted),
  };
}
