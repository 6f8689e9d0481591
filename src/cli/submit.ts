import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { systemClock } from "../clock.ts";
import { codeOf, EXIT, messageOf, usageError } from "../errors.ts";
import type { NewJob } from "../store/submission.ts";
import { optionForm } from "./arguments.ts";
import { withStore, type Context } from "./context.ts";
import { newId } from "./ids.ts";
import type { Invocation } from "./invocation.ts";
import { remarkOnWorkers } from "./living-workers.ts";
import { print } from "./streams.ts";
import { readBatch } from "./submission/batch.ts";
import { newJob, type Surroundings } from "./submission/build.ts";
import { requestOf } from "./submission/flags.ts";
import { COMMAND_OPTIONS, JOB_OPTIONS } from "./submission/options.ts";
import { waitForAll } from "./wait.ts";

/** `reeve submit`: records jobs, and prints their ids when they are on disk. */
export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  return withStore(options, async (context) => {
    const jobs = options.has("batch")
      ? await batchJobs(invocation, context)
      : [await jobOf(invocation, around(context))];
    const ids = await record(context, jobs);
    await print(ids.map((id) => `${id}\n`).join(""));
    if (!options.flag("quiet") && jobs.some((job) => !job.hold)) await remarkOnWorkers(context.store);
    return options.flag("wait") ? waitForAll(context.store, ids, { quiet: options.flag("quiet") }) : EXIT.done;
  });
}

async function jobOf(invocation: Invocation, surroundings: Surroundings): Promise<NewJob> {
  const request = requestOf(invocation, process.env);
  if (request.bodyFile !== "-") return newJob(request, surroundings);
  if (request.body !== null) throw usageError("the body is given twice, as a text and on stdin", "give one of them");
  return newJob({ ...request, bodyFile: null, body: await readStdin() }, surroundings);
}

async function batchJobs(invocation: Invocation, context: Context): Promise<NewJob[]> {
  refuseBeside(invocation);
  const file = invocation.options.text("batch") ?? "-";
  if (file === "-") return readBatch("stdin", await readStdin(), around(context));
  return readBatch(basename(file), readFile(file), around(context));
}

function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw usageError(`--batch ${path}: ${why}`);
  }
}

function refuseBeside({ args, options, command }: Invocation): void {
  const ofOneJob = [...JOB_OPTIONS, ...COMMAND_OPTIONS].map(([flags]) => optionForm(flags).name);
  const beside = ofOneJob.find((name) => options.has(name));
  if (beside !== undefined) {
    throw usageError(`--${beside} cannot stand beside --batch`, `each line says it for its job: {"${beside}": …}`);
  }
  if (args.length > 0 || command.length > 0) {
    throw usageError("--batch takes its jobs from the file, but a definition or a command is given as well");
  }
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
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
