import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { AttemptEnd, Job, Settlement } from "../../src/store/job.ts";
import type { NewJob } from "../../src/store/submission.ts";
import type { JobDocument } from "../../src/uws/document.ts";
import { KernelLocks } from "../../src/worker/locks.ts";
import { within } from "../support/eventually.ts";
import { existing, newJob, only, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

export interface Done {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Manner {
  readonly stdin?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A program that has been started. */
export interface Started {
  readonly ended: Promise<Done>;
  stdout(): string;
  stderr(): string;
  /** Reads nothing more of what it prints. */
  hangUp(): void;
}

/** Starts the program from its source. */
export function start(args: readonly string[], { stdin = "", environment = {}, cwd = "/" }: Manner = {}): Started {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH, HOME, ...environment } });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => void (texts[name] += text));
  }
  child.stdin.end(stdin);
  const ended = new Promise<Done>((resolve) => child.on("close", (code) => resolve({ code, ...texts })));
  return {
    ended: within(`reeve ${args.join(" ").slice(0, 100)} ends`, ended, 30_000),
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    hangUp: () => void child.stdout.destroy(),
  };
}

/** A worker of the test's own: it claims, and says how what it claimed ended. */
export interface FakeWorker {
  readonly directory: string;
  /** Begins the next attempt of whatever is due. */
  begin(): Promise<Job>;
  end(job: Job, end?: Partial<AttemptEnd>, settlement?: Partial<Settlement>): Promise<void>;
  /** Adds to what the attempt has written until now, or to another file of its slot. */
  write(job: Job, text: string, file?: string): void;
  /** Its lock is free from now on, as if it had died. */
  die(): void;
}

/** A store, and the program at work on it. */
export interface Desk extends Disposable {
  readonly at: TemporaryStore;
  reeve(...args: string[]): Promise<Done>;
  start(args: readonly string[], manner?: Manner): Started;
  run(args: readonly string[], manner: Manner): Promise<Done>;
  submit(fields?: Partial<NewJob>): Promise<Job>;
  documents(...args: string[]): Promise<JobDocument[]>;
  worker(id?: string): Promise<FakeWorker>;
  /** A job that has ended so. */
  ended(end?: Partial<AttemptEnd>, settlement?: Partial<Settlement>, fields?: Partial<NewJob>): Promise<Job>;
}

export function desk(): Desk {
  const at = temporaryStore();
  const begin = (args: readonly string[], manner: Manner = {}): Started =>
    start(args, {
      ...manner,
      environment: { REEVE_STORE: at.directory.path, REEVE_SHARED_FILESYSTEM: "1", ...manner.environment },
    });
  const reeve = (...args: string[]): Promise<Done> => begin(args).ended;
  const submit = async (fields: Partial<NewJob> = {}): Promise<Job> => only(await at.submit(newJob(fields)));
  return {
    at,
    reeve,
    start: begin,
    run: (args, manner) => begin(args, manner).ended,
    submit,
    // The program wrote it; what of it is looked at, the tests check.
    documents: async (...args) => JSON.parse((await reeve("list", "--json", ...args)).stdout) as JobDocument[],
    worker: (id = "worker-1") => fakeWorker(at, id),
    async ended(end, settlement, fields) {
      await submit(fields);
      const worker = await fakeWorker(at, `worker-${crypto.randomUUID()}`);
      const job = await worker.begin();
      await worker.end(job, end, settlement);
      worker.die();
      return at.job(job);
    },
    [Symbol.dispose]: () => at[Symbol.dispose](),
  };
}

async function fakeWorker({ store }: TemporaryStore, id: string): Promise<FakeWorker> {
  const directory = store.location.worker(id);
  const lock = existing(new KernelLocks(runtime.libc()).tryTake(directory));
  const slot = join(directory, "slot-1");
  mkdirSync(slot, { recursive: true });
  const place = { host: "here", pid: 1, bootId: "boot", pidNamespace: "pids", version: "0", concurrency: 1 };
  await store.write(() => store.workers.register({ id, directory, startedAt: Date.now(), ...place }));
  const queue = new SqliteQueue(store, id, Date.now);
  return {
    directory,
    async begin() {
      const receive = queue.receive(
        () => ({ max: 1, idle: true, without: [] }),
        ({ job, receiveCount }) => {
          const at = Date.now();
          store.attempts.begin({ job, worker: id, directory: slot, messageId: job.id, receiveCount, at });
          return job;
        },
      );
      const job = only(await receive);
      for (const file of ["output", "errors"]) writeFileSync(join(slot, file), "");
      writeFileSync(join(slot, "identity"), `${job.id} ${job.attempts} 0 0\n`);
      return job;
    },
    end: (job, end, settlement) => recordEnd(store, job, id, end, settlement),
    write: (_job, text, file = "output") => writeFileSync(join(slot, file), text, { flag: "a" }),
    die: () => lock.release(),
  };
}

async function recordEnd(
  store: TemporaryStore["store"],
  job: Job,
  by: string,
  end: Partial<AttemptEnd> = {},
  settlement: Partial<Settlement> = {},
): Promise<void> {
  const whole: AttemptEnd = {
    ending: { kind: "exited", code: 0 },
    cause: null,
    endedAt: Date.now(),
    pid: 4711,
    userMicroseconds: 1500,
    systemMicroseconds: 500,
    peakBytes: 4096,
    outputs: [],
    results: [],
    progress: null,
    ...end,
  };
  const done: Settlement = {
    phase: "COMPLETED",
    verdict: { kind: "acknowledge" },
    counts: "nothing",
    error: null,
    ...settlement,
  };
  if (!(await store.write(() => store.attempts.end(job, whole, done, by)))) throw new Error("the job is not ours");
}

/** An ending that nothing comes after. */
export const failure = (message: string): Partial<Settlement> => ({
  phase: "ERROR",
  verdict: { kind: "bury", reason: message },
  counts: "failure",
  error: { message, type: "fatal" },
});

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const inline = (text: string) => ({ kind: "inline", bytes: bytes(text) }) as const;
