import { systemClock } from "../clock.ts";
import { EXIT, usageError } from "../errors.ts";
import type { NewJob } from "../store/submission.ts";
import { withStore, type Context } from "./context.ts";
import { readDefinitions } from "./definitions.ts";
import { newId } from "../store/new-id.ts";
import type { Invocation } from "./invocation.ts";
import { remarkOnWorkers } from "./living-workers.ts";
import { chosenQueue } from "./queues.ts";
import { print } from "./streams.ts";
import { readBatch } from "./submission/batch.ts";
import { newJob, type Surroundings } from "./submission/build.ts";
import { batchSource, oneRequest } from "./submission/sources.ts";
import { waitForAll } from "./wait.ts";

/** `reeve submit`: records jobs, or sends them to SQS, and prints their ids when they are on disk, or have arrived. */
export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  if (options.has("queue")) {
    const { configuration } = await readDefinitions(options);
    const definition = chosenQueue(options, configuration)?.definition ?? null;
    // What SQS needs is no business of those who do not use it.
    if (definition) return (await import("./submit-to-sqs.ts")).submitToSqs(invocation, definition, configuration);
  }
  if (options.has("endpoint")) throw usageError("--endpoint is SQS's, and no SQS queue is named", "--queue names one");
  return recordAll(invocation);
}

function recordAll(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const submitAll = async (context: Context): Promise<number> => {
    const jobs = options.has("batch")
      ? readBatch(await batchSource(invocation), around(context))
      : [newJob(await oneRequest(invocation), around(context))];
    const ids = await record(context, jobs);
    await print(ids.map((id) => `${id}\n`).join(""));
    const isRemarked = !options.flag("quiet") && jobs.some((job) => !job.hold);
    if (isRemarked) await remarkOnWorkers(context.store, options.texts("jobs"));
    return options.flag("wait") ? waitForAll(context.store, ids, { quiet: options.flag("quiet") }) : EXIT.done;
  };
  return withStore(options, submitAll, async (given) => (await readDefinitions(given)).configuration);
}

function around({ store, configuration }: Context): Surroundings {
  const found = new Map<string, string>();
  const idOf = (text: string): string => {
    const id = found.get(text) ?? store.jobs.byPrefix(text).id;
    found.set(text, id);
    return id;
  };
  const { definitions } = configuration;
  return { definitions, environment: process.env, cwd: process.cwd(), now: systemClock.now(), newId, idOf };
}

function record({ store, clock }: Context, jobs: readonly NewJob[]): Promise<string[]> {
  return store.write(() => {
    const recorded = new Map<string, string>();
    const ids = jobs.map((job) => {
      // What waits for a job that was there already, by its key, waits for that one.
      const after = job.after.map((id) => recorded.get(id) ?? id);
      const [id = job.id] = store.submission.submit([{ ...job, after }], clock.now());
      if (id !== job.id) recorded.set(job.id, id);
      return id;
    });
    store.wakeWorkers();
    return ids;
  });
}
