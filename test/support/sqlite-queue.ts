import type { QueueHarness, QueueMaker } from "../contract/queue.ts";
import { inlineBody } from "../../src/config/message-body.ts";
import { SqliteQueue } from "../../src/queue/sqlite.ts";
import type { Job } from "../../src/store/job.ts";
import type { NewJob } from "../../src/store/submission.ts";
import { bytesOf, existing, newJob, temporaryStore, type TemporaryStore } from "./temporary.ts";

export interface SqliteHarness extends QueueHarness {
  readonly queue: SqliteQueue;
  readonly other: SqliteQueue;
  readonly at: TemporaryStore;
  now(): number;
  submit(fields?: Partial<NewJob>): Promise<Job>;
  /** The job as it is now. */
  job(of: Pick<Job, "id">): Job;
}

/** The embedded queue, with two workers that have connections of their own, and a clock that stands still. */
export async function sqliteHarness(): Promise<SqliteHarness> {
  const at = temporaryStore();
  let now = 1_700_000_000_000;
  const clock = (): number => now;
  const { store } = at;
  const submit = async (fields: Partial<NewJob> = {}): Promise<Job> => {
    const [id = ""] = await store.write(() => store.submission.submit([newJob(fields)], now));
    return existing(store.jobs.byId(id));
  };
  const queue = new SqliteQueue(store, "worker-1", clock);
  return {
    at,
    queue,
    other: new SqliteQueue(at.another(), "worker-2", clock),
    hasPriorities: true,
    mayHold: () => true,
    isDrained: async () => queue.isDrained(),
    now: clock,
    submit,
    job: ({ id }) => existing(store.jobs.byId(id)),
    send: async ({ body, priority = 0 }) => (await submit({ body: inlineBody(body), priority })).id,
    bodyOf: ({ job }) => bytesOf(store.jobs.inputs(job.seq)),
    advance: async (milliseconds) => void (now += milliseconds),
    close: async () => at[Symbol.dispose](),
  };
}

export const sqliteMaker: QueueMaker = { make: sqliteHarness };
