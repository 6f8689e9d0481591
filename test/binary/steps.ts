import { Database } from "bun:sqlite";
import { cpSync, readdirSync, rmSync } from "node:fs";
import type { Job } from "../../src/store/job.ts";
import { isHeldByWorker } from "../../src/store/phases.ts";
import { bytesOf } from "../../src/store/outputs.ts";
import type { Store } from "../../src/store/store.ts";
import { readDocument, type JobDocument } from "../../src/uws/document.ts";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { existing, openStore } from "../support/temporary.ts";
import { ALONE } from "./alone.ts";
import { COMPILED } from "./forms.ts";
import { describeDone, Place, type Done, type Running } from "./place.ts";

/** A job whose life is gone through step by step. */
export interface Kind {
  /** What its shell does between saying that it began and that it ended. */
  readonly script: string;
  /** Of its definition, as in reeve.toml. */
  readonly settings?: string;
  /** A stop of its worker leaves it alone. */
  readonly outlives?: boolean;
  /** What others do while the worker runs it. Must not mind that the worker may be dead. */
  readonly meanwhile?: (bench: Bench, worker: Running) => Promise<void>;
  /** What is wrong with how it ended, besides what must never be. */
  readonly wrong: (end: End) => readonly string[];
}

export type Attempt = JobDocument["jobInfo"]["attempts"][number];

/** What came of one life, once another worker has done what was left. */
export interface End {
  readonly job: JobDocument;
  readonly attempts: readonly Attempt[];
  /** The lines that the job and its exit handler wrote, in their order. */
  readonly lines: readonly string[];
  readonly bench: Bench;
}

export const isLost = ({ ending }: Attempt): boolean => ending === "lost";

/** A place with one job, which can be put back to where it was before it was first run. */
export class Bench implements AsyncDisposable {
  readonly place: Place;
  readonly id: string;
  /** Its abort has been recorded. */
  isAborted = false;
  /** By whom it was stopped from outside. */
  stoppedBy: NodeJS.Signals | null = null;
  readonly #kind: Kind;
  readonly #argv: readonly string[];
  readonly #clean: readonly string[];

  private constructor(place: Place, id: string, kind: Kind, argv: readonly string[]) {
    this.place = place;
    this.id = id;
    this.#kind = kind;
    this.#argv = argv;
    this.#clean = readdirSync(place.of());
  }

  static async of(kind: Kind, argv: readonly string[]): Promise<Bench> {
    const place = new Place(COMPILED);
    const script = `${ALONE}; echo "began $REEVE_ATTEMPT" >> lines; ${kind.script}; echo "ended $REEVE_ATTEMPT" >> lines`;
    const command = JSON.stringify(["sh", "-c", script]);
    place.write(
      "reeve.toml",
      `[store]\ndurability = "normal"\n[jobs.job]\ncommand = ${command}\n${kind.settings ?? ""}\n`,
    );
    const id = await place.submit("job");
    cpSync(place.store, place.of("../template"), { recursive: true });
    return new Bench(place, id, kind, argv);
  }

  /** Runs the job anew, with a worker that signals itself at one of its steps. */
  async run(step: number, signal: NodeJS.Signals): Promise<Done> {
    this.#reset();
    const environment = { REEVE_TEST_STEP: String(step), REEVE_TEST_SIGNAL: signal };
    const worker = this.place.startProgram([...this.#argv, "work", "--drain", "--concurrency", "1"], { environment });
    const [done] = await Promise.all([worker.ended, this.#kind.meanwhile?.(this, worker)]);
    return done;
  }

  #reset(): void {
    const { place } = this;
    this.isAborted = false;
    this.stoppedBy = null;
    for (const name of readdirSync(place.of()))
      if (!this.#clean.includes(name)) rmSync(place.of(name), { recursive: true });
    rmSync(place.store, { recursive: true });
    cpSync(place.of("../template"), place.store, { recursive: true });
  }

  /** Whether the job has come so far before the worker's end. */
  async saw(line: string, worker: Running): Promise<boolean> {
    let hasEnded = false;
    void worker.ended.then(() => (hasEnded = true));
    await eventually(`it has come to ${line}, or its worker has ended`, () => hasEnded || this.lines.includes(line));
    return this.lines.includes(line);
  }

  get lines(): string[] {
    return this.place.lines("lines");
  }

  /** Has a plain worker do what is left, and tells what is wrong after that. */
  async finish(): Promise<string[]> {
    const { place } = this;
    place.write("finishing", "");
    const drained = await place.reeve("work", "--drain", "--concurrency", "1");
    const job = this.document();
    const { attempts } = job.jobInfo;
    const end: End = { job, attempts, lines: this.lines, bench: this };
    const wrong = [
      ...broken({
        "a plain worker does what is left": drained.signal === null && (drained.code === 0 || drained.code === 1),
        "never two at once": place.read("twice") === "",
        "no process is left": place.processes().length === 0,
        "no directory is left": readdirSync(`${place.store}/workers`).length === 0,
        "no worker is left": workerRows(place).length === 0,
        "each attempt has an end": attempts.every(({ ending, endTime, verdict }) => ending && endTime && verdict),
        "losses are counted": job.jobInfo.lost === attempts.filter((one) => isLost(one) && one.cause === null).length,
        "one death is one loss at most": job.jobInfo.lost <= 1,
        "what exited with 0 ran to its end": attempts.every(
          (one) => one.exitCode !== 0 || end.lines.includes(`ended ${one.number}`),
        ),
      }),
      ...this.#kind.wrong(end),
    ];
    return wrong.length === 0
      ? []
      : [...wrong, describeDone(["work"], drained), JSON.stringify(job.jobInfo), end.lines.join(", ")];
  }

  /** What the store knows of the job. */
  document(): JobDocument {
    return this.#withJob((store, job) => readDocument(store, job));
  }

  /** Bytes of output that are kept of its last attempt. */
  outputSize(): number {
    return this.#withJob((store, { seq, attempts }) => {
      const last = store.outputs.outputs(seq).filter(({ attempt }) => attempt === attempts);
      return last.reduce((sum, output) => sum + bytesOf(output).length, 0);
    });
  }

  get outlives(): boolean {
    return this.#kind.outlives ?? false;
  }

  /** Signals a worker that is not known to live. */
  stop(worker: Running, signal: NodeJS.Signals): void {
    this.stoppedBy = signal;
    if (isLiving(worker.pid)) worker.signal(signal);
  }

  /** Asks for its abort. */
  abort(): Promise<void> {
    return this.#steer((store, { seq }) => {
      const { phase, abortBy } = store.steering.abort(seq, Date.now(), "the test");
      this.isAborted = phase === "ABORTED" || abortBy !== null;
    });
  }

  /** Asks for its suspension, and lifts it when it stands still or its worker is dead. */
  async suspendForAWhile(worker: Running): Promise<void> {
    await this.#steer(
      (store, job) => isHeldByWorker(job.phase) && store.suspension.ask(job.seq, Date.now(), "the test"),
    );
    await eventually("it stands still, or its worker is dead", () => {
      return !isLiving(worker.pid) || this.#withJob((_, { phase }) => phase !== "EXECUTING");
    });
    await this.#steer((store, { seq, suspendBy }) => suspendBy && store.suspension.lift(seq, Date.now(), "the test"));
  }

  async #steer(steer: (store: Store, job: Job) => unknown): Promise<void> {
    const store = openStore(this.place.store);
    try {
      await store.write(() => {
        steer(store, existing(store.jobs.byId(this.id)));
        store.wakeWorkers();
      });
    } finally {
      store.close();
    }
  }

  #withJob<T>(look: (store: Store, job: Job) => T): T {
    const store = openStore(this.place.store);
    try {
      return look(store, existing(store.jobs.byId(this.id)));
    } finally {
      store.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.place[Symbol.asyncDispose]();
  }
}

/** The promises that are not kept. */
export const broken = (promises: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(promises).flatMap(([promise, isKept]) => (isKept ? [] : [`not so: ${promise}`]));

export function workerRows({ store }: Place): unknown[] {
  const database = new Database(`${store}/reeve.db`, { readonly: true });
  try {
    return database.query("SELECT id FROM workers").all();
  } finally {
    database.close();
  }
}
