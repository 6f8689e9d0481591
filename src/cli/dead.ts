import { suggestion } from "../config/wording.ts";
import { EXIT, nothingThere, usageError } from "../errors.ts";
import type { Job } from "../store/job.ts";
import { errorSummary, isoTime, readDocument } from "../uws/document.ts";
import { readConfiguration, withExistingStore, type Context } from "./context.ts";
import { eachOf } from "./each.ts";
import { shortId } from "./ids.ts";
import type { Invocation, Options } from "./invocation.ts";
import { remarkOnWorkers } from "./living-workers.ts";
import { chosenQueue } from "./queues.ts";
import { titleOf } from "./render/job-table.ts";
import { printJsonList } from "./render/json.ts";
import { screenOf, table } from "./render/table.ts";
import { safe } from "./render/text.ts";
import { removeJobs } from "./removing.ts";
import { retryJob } from "../store/retrying.ts";
import { showJob } from "./show.ts";
import { print, printLine, remark } from "./streams.ts";

type Act = (context: Context, ids: readonly string[], options: Options) => Promise<number>;

const ACTIONS = { list, show, retry, purge } as const satisfies Readonly<Record<string, Act>>;
type Action = keyof typeof ACTIONS;

/** Options that mean something on SQS only. */
const OF_SQS = ["to", "endpoint", "match", "job", "older-than", "limit", "rate", "dry-run"] as const;

/** `reeve dead`: jobs that were given up, with the reason. */
export async function run({ args: [name = "list", ...ids], options }: Invocation): Promise<number> {
  const action = actionCalled(name);
  if (action === "list" && ids.length > 0) {
    throw usageError("`reeve dead list` takes no id", "`reeve dead show ID` shows one");
  }
  if (!options.has("queue")) return runOnStore(action, ids, options);
  const configuration = await readConfiguration(options);
  const chosen = chosenQueue(options, configuration);
  if (!chosen?.definition) return runOnStore(action, ids, options);
  const { runOnSqs } = await import("./dead-sqs/run.ts");
  return runOnSqs(action, ids, chosen.definition, options, configuration);
}

function actionCalled(name: string): Action {
  const names = Object.keys(ACTIONS);
  if (isAction(name)) return name;
  throw usageError(`\`reeve dead\` has no ${name}${suggestion(name, names)}`, `it has ${names.join(", ")}`);
}

const isAction = (name: string): name is Action => Object.hasOwn(ACTIONS, name);

async function runOnStore(action: Action, ids: readonly string[], options: Options): Promise<number> {
  const wrong = OF_SQS.find((name) => options.has(name));
  if (wrong !== undefined) throw usageError(`--${wrong} is for dead letters of SQS`, "--queue names their queue");
  if (action !== "list") return withExistingStore(options, (context) => ACTIONS[action](context, ids, options));
  return withExistingStore(
    options,
    (context) => context.store.reading(() => list(context, ids, options)),
    () => tellNone(options),
  );
}

async function tellNone(options: Options): Promise<number> {
  if (options.flag("json")) await print("[]\n");
  else remark("no dead letters");
  return EXIT.done;
}

async function list({ store }: Context, _ids: readonly string[], options: Options): Promise<number> {
  const dead = store.jobs.dead();
  if (dead.length === 0) return tellNone(options);
  if (options.flag("json")) await printJsonList(dead, (job) => readDocument(store, job));
  else await print(deadTable(store, dead, options));
  return EXIT.done;
}

function deadTable(store: Context["store"], dead: readonly Job[], options: Options): string {
  const rows = dead.map((job) => [
    shortId(job.id),
    isoTime(job.buriedAt ?? job.createdAt),
    String(job.attempts),
    safe(errorSummary(job)?.message ?? ""),
    titleOf(job, store.jobs.inputs(job.seq)),
  ]);
  return table(["ID", "GIVEN UP", "ATTEMPTS", "REASON", "JOB"], rows, screenOf(options));
}

async function show(context: Context, [prefix, ...others]: readonly string[], options: Options): Promise<number> {
  if (prefix === undefined || others.length > 0) throw usageError("`reeve dead show` takes one id");
  return showJob(context, deadLetter(context, prefix), options);
}

async function retry(context: Context, ids: readonly string[], options: Options): Promise<number> {
  // With --all those of the store's own queue are meant: the others are sent back to theirs.
  const isMeant = (job: Job): boolean => job.queue === null || ids.length > 0;
  const code = await eachOf(chosen(context, ids, options, isMeant), async (letter) => {
    await printLine(await retryJob(context, letter().seq));
  });
  if (code === EXIT.done && !options.flag("quiet")) await remarkOnWorkers(context.store);
  return code;
}

async function purge(context: Context, ids: readonly string[], options: Options): Promise<number> {
  return eachOf(chosen(context, ids, options), async (letter) => {
    for (const id of await removeJobs(context, [letter()])) await printLine(id);
  });
}

/** Each is looked up only when its turn comes, so that a wrong id does not keep the others from theirs. */
function chosen(
  context: Context,
  ids: readonly string[],
  options: Options,
  isMeant: (job: Job) => boolean = () => true,
): (() => Job)[] {
  if (options.flag("all") === ids.length > 0) {
    throw usageError("either ids or --all must say which dead letters are meant", "`reeve dead list` shows them");
  }
  if (options.flag("all"))
    return context.store.jobs
      .dead()
      .filter(isMeant)
      .map((job) => () => job);
  return ids.map((prefix) => () => deadLetter(context, prefix));
}

function deadLetter({ store }: Context, prefix: string): Job {
  const job = store.jobs.byPrefix(prefix);
  if (job.buriedAt !== null) return job;
  const retried = job.retriedAs === null ? "" : `; it was run again as ${job.retriedAs}`;
  throw nothingThere(`job ${job.id} is ${job.phase} and no dead letter${retried}`, "`reeve dead list` shows them");
}
