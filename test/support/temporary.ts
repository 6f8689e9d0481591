import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/config/definition.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Durability } from "../../src/store/database.ts";
import type { Job } from "../../src/store/job.ts";
import type { JournalOptions } from "../../src/store/journal.ts";
import { prepareLocation, StoreLocation } from "../../src/store/location.ts";
import { Store, type StoreOptions } from "../../src/store/store.ts";
import type { NewJob } from "../../src/store/submission.ts";

export interface TemporaryDirectory extends Disposable {
  readonly path: string;
  /** The path of a file in it. */
  of(...names: string[]): string;
  /** Writes a file in it, gives its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
  remove(name: string): void;
}

/** A fresh directory, which is gone when the block that holds it ends. */
export function temporaryDirectory(below: string = tmpdir()): TemporaryDirectory {
  const path = mkdtempSync(join(below, "reeve-test-"));
  const of = (...names: string[]): string => join(path, ...names);
  const write = (name: string, content: string | Uint8Array, mode = 0o644): string => {
    writeFileSync(of(name), content, { mode });
    return of(name);
  };
  const remove = (name: string): void => rmSync(of(name));
  return { path, of, write, remove, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Where a store may be, whatever filesystem the temporary directory is on. */
export function prepare(directory: string): StoreLocation {
  const location = new StoreLocation(directory);
  prepareLocation(location, { REEVE_SHARED_FILESYSTEM: "1" });
  return location;
}

export type OpenOptions = Partial<Pick<StoreOptions, "durability" | "openDatabase" | "changes">> &
  Partial<Omit<JournalOptions, "onCommit">>;

/** One more connection to the store of a directory. The caller closes it. */
export function openStore(directory: string, options: OpenOptions = {}): Store {
  const durability: Durability = "normal";
  return Store.open({
    location: prepare(directory),
    durability,
    openDatabase: (path) => runtime.openDatabase(path, { create: true }),
    clock: systemClock,
    random: Math.random,
    patience: "fail",
    ...options,
  });
}

export interface TemporaryStore extends Disposable {
  readonly store: Store;
  readonly directory: TemporaryDirectory;
  /** Another connection to it, closed with the first. */
  another(options?: OpenOptions): Store;
  /** Submits jobs now. */
  submit(...jobs: NewJob[]): Promise<Job[]>;
  /** The job as it is now. */
  job(of: Pick<Job, "seq">): Job;
}

/** A store in a fresh directory, both gone when the block that holds it ends. */
export function temporaryStore(options: OpenOptions = {}): TemporaryStore {
  const directory = temporaryDirectory();
  const store = openStore(directory.path, options);
  const all = [store];
  const job = ({ seq }: Pick<Job, "seq">): Job => existing(store.jobs.bySeq(seq));
  return {
    store,
    directory,
    another(more = options) {
      const other = openStore(directory.path, more);
      all.push(other);
      return other;
    },
    async submit(...jobs) {
      const ids = await store.write(() => store.submission.submit(jobs, Date.now()));
      return ids.map((id) => existing(store.jobs.byId(id)));
    },
    job,
    [Symbol.dispose]() {
      for (const one of all) one.close();
      directory[Symbol.dispose]();
    },
  };
}

/** What must be there. */
export function existing<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("it is not there");
  return value;
}

/** The only one of a list. */
export function only<T>(values: readonly T[]): T {
  const [value] = values;
  if (values.length !== 1 || value === undefined) throw new Error(`${values.length} where there should be one`);
  return value;
}

/** Of a body that is in its row; null: there is none. */
export const bytesOf = ({ body }: Pick<NewJob, "body">): Uint8Array | null =>
  body?.kind === "inline" ? body.bytes : null;

export const newId = (): string => crypto.randomUUID().replaceAll("-", "");

export const limits = (fields: Partial<Limits> = {}): Limits => ({ ...DEFAULT_LIMITS, ...fields });

/** A command that was submitted with nothing said about it. */
export function newJob(fields: Partial<NewJob> = {}): NewJob {
  return {
    id: newId(),
    definition: null,
    runId: null,
    owner: null,
    priority: 0,
    executionDuration: 0,
    availableAt: null,
    expiresAt: null,
    destruction: null,
    hold: false,
    after: [],
    dedupeKey: null,
    retryOf: null,
    context: { kind: "command", cwd: "/", environment: { PATH: "/usr/bin:/bin" }, secrets: [], limits: limits() },
    command: ["/bin/true"],
    parameters: [],
    attributes: {},
    body: null,
    ...fields,
  };
}

/** A job as the store would give it, for what is judged without one. */
export function aJob(fields: Partial<Job> = {}): Job {
  return {
    seq: 1,
    id: "0123456789abcdef",
    phase: "EXECUTING",
    definition: null,
    runId: null,
    owner: null,
    priority: 0,
    createdAt: 0,
    startedAt: 0,
    endedAt: null,
    destruction: null,
    executionDuration: 0,
    runningMs: 0,
    availableAt: null,
    expiresAt: null,
    waiting: 0,
    attempts: 1,
    failures: 0,
    lost: 0,
    worker: "worker",
    receipt: "0123456789abcdef.1",
    abortBy: null,
    suspendBy: null,
    heldBy: null,
    owed: null,
    verdict: null,
    error: null,
    buriedAt: null,
    progress: null,
    progressMessage: null,
    retryOf: null,
    retriedAs: null,
    queue: null,
    messageId: null,
    copied: 0,
    ...fields,
  };
}
