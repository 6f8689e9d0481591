import type { Durability } from "../../src/store/database.ts";
import type { Job } from "../../src/store/job.ts";
import { isFinal } from "../../src/store/phases.ts";
import type { NewJob } from "../../src/store/submission.ts";
import type { Store } from "../../src/store/store.ts";
import { eventually } from "../support/eventually.ts";
import { existing, newJob, openStore } from "../support/temporary.ts";
import type { Surroundings } from "./surroundings.ts";

/** A worker of the binary that stays, and a connection of ours to its store. */
export class LiveWorker implements AsyncDisposable {
  readonly store: Store;
  readonly pid: number;
  readonly #process: Bun.Subprocess;
  readonly #unwatch: () => void;
  #changed: () => void = () => {};

  private constructor(store: Store, worker: Bun.Subprocess) {
    this.store = store;
    this.pid = worker.pid;
    this.#process = worker;
    this.#unwatch = store.watch("jobs", () => this.#changed());
  }

  static async start(
    at: Surroundings,
    concurrency: number,
    durability: Durability = "full",
    more: readonly string[] = [],
  ): Promise<LiveWorker> {
    const { directory, options } = at.newStore(durability);
    const store = openStore(directory, { durability });
    const worker = at.start([at.reeve, "work", "--quiet", "--concurrency", String(concurrency), ...options, ...more]);
    await eventually("the worker has begun", () => store.workers.all().length === 1);
    return new LiveWorker(store, worker);
  }

  /** Submits a command and waits until it has ended. */
  async run(command: readonly string[], cwd: string): Promise<Job> {
    const job = newJob({ command });
    const { context } = job;
    if (context.kind !== "command") throw new Error("it is no command");
    return this.#submit({ ...job, context: { ...context, cwd } });
  }

  /** The same for a job of a definition, with parameters that are texts. */
  runJob(definition: string, parameters: Readonly<Record<string, string>>): Promise<Job> {
    const given = Object.entries(parameters).map(([name, value]) => ({
      name,
      values: [value],
      secret: false,
      file: false,
    }));
    return this.#submit(newJob({ definition, command: null, context: { kind: "definition" }, parameters: given }));
  }

  async #submit(job: NewJob): Promise<Job> {
    const { store } = this;
    await store.write(() => {
      store.wakeWorkers();
      return store.submission.submit([job], Date.now());
    });
    return this.#ended(job.id);
  }

  async #ended(id: string): Promise<Job> {
    for (;;) {
      const change = new Promise<void>((resolve) => (this.#changed = resolve));
      const job = existing(this.store.jobs.byId(id));
      if (isFinal(job.phase)) return job;
      await change;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch();
    this.store.close();
    this.#process.kill("SIGTERM");
    await this.#process.exited;
  }
}
