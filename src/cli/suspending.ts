import { EXIT, nothingThere, ReeveError } from "../errors.ts";
import type { Job } from "../store/job.ts";
import { patience, unanswered } from "./answer.ts";
import type { Context } from "./context.ts";
import { eachOf } from "./each.ts";
import type { Invocation } from "./invocation.ts";
import { withExistingStore } from "./context.ts";
import { printLine } from "./streams.ts";
import { waitFor } from "../store/waiting.ts";

/** What a worker is asked to do with a job that it runs. */
export interface Request {
  /** As in `the suspension of job 3f7`. */
  readonly what: string;
  readonly goal: "SUSPENDED" | "EXECUTING";
  /** Within a transaction. */
  readonly ask: (context: Context, job: Job) => Job;
}

/** Asks it of each job, and waits until it is so. */
export async function run({ args, options }: Invocation, request: Request): Promise<number> {
  const wait = options.switched("wait") ?? true;
  return withExistingStore(options, (context) => eachOf(args, (prefix) => steerOne(context, prefix, request, wait)));
}

async function steerOne(context: Context, prefix: string, request: Request, wait: boolean): Promise<void> {
  const { store } = context;
  const { id, seq } = store.jobs.byPrefix(prefix);
  const asked = await store.write(() => {
    store.wakeWorkers();
    const job = store.jobs.bySeq(seq);
    if (!job) throw nothingThere(`job ${id} has been deleted meanwhile`);
    return request.ask(context, job);
  });
  if (wait) await waitUntilSo(context, asked, request);
  await printLine(id);
}

async function waitUntilSo(context: Context, asked: Job, { what, goal }: Request): Promise<void> {
  const { store } = context;
  const isTaken = ({ phase, receipt }: Job): boolean => phase === goal || receipt !== asked.receipt;
  const found = await waitFor<{ job: Job | undefined }>(store, await patience(context, asked), () => {
    const job = store.jobs.bySeq(asked.seq);
    return job === undefined || isTaken(job) ? { job } : undefined;
  });
  if (found === null) throw await unanswered(context, asked, what);
  if (!found.job) throw nothingThere(`job ${asked.id} has been deleted meanwhile`);
  // The attempt that was meant is over.
  if (found.job.receipt !== asked.receipt) throw tooLate(found.job, what);
}

const tooLate = ({ id, phase }: Job, what: string): ReeveError =>
  new ReeveError(
    EXIT.usage,
    `${what} of job ${id} came too late: it is ${phase}`,
    `\`reeve why ${id}\` tells its story`,
  );
