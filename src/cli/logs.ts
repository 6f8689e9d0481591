import type { Limits, OutputMode } from "../config/definition.ts";
import { shown } from "../config/wording.ts";
import { EXIT, nothingThere, usageError } from "../errors.ts";
import { foregroundOf, type Job } from "../store/job.ts";
import { isFinal } from "../store/phases.ts";
import type { Store } from "../store/store.ts";
import { AttemptOutput, type Channel } from "./attempt-output.ts";
import { AttemptPrinter, type PrintOptions } from "./attempt-printer.ts";
import { Bell } from "./bell.ts";
import { withExistingStore, type Context } from "./context.ts";
import type { Invocation, Options } from "./invocation.ts";
import { remark } from "./streams.ts";

/** How often a file that is being written is looked at, in milliseconds. */
const GROWTH_LOOK_MS = 200;

/** What is to be printed of a job. */
interface Wanted extends PrintOptions {
  readonly job: Job;
  readonly first: number;
  /** Null: up to the last one there will be. */
  readonly last: number | null;
}

/** `reeve logs`: the bytes that a job wrote, as they are. */
export async function run({ args: [prefix = ""], options }: Invocation): Promise<number> {
  return withExistingStore(options, async (context) => {
    const wanted = wantedOf(context, context.store.jobs.byPrefix(prefix), options);
    remarkOnDirect(context.store, wanted.job);
    if (options.flag("follow")) await follow(context.store, wanted);
    else await printAttempts(context.store, wanted);
    return EXIT.done;
  });
}

function remarkOnDirect(store: Store, { seq, id }: Job): void {
  if (foregroundOf(store.jobs.inputs(seq))?.direct)
    remark(`job ${id} was run with --direct: what it wrote was not kept`);
}

function wantedOf(context: Context, job: Job, options: Options): Wanted {
  const attempt = options.integer("attempt", 1);
  if (attempt !== undefined && options.flag("all")) throw usageError("--attempt and --all exclude each other");
  if (attempt !== undefined && attempt > job.attempts) {
    throw nothingThere(`job ${job.id} has no attempt ${attempt}`, `it has been started ${job.attempts} times`);
  }
  const wanted = {
    job,
    channels: channelsOf(options, job, () => modeOf(context, job)),
    first: attempt ?? (options.flag("all") ? 1 : Math.max(1, job.attempts)),
    last: attempt ?? null,
    tail: options.integer("tail", 0),
    timestamps: options.flag("timestamps"),
  };
  if (wanted.timestamps && !hasTimes(context, job)) {
    const hint = "`submit --timestamps`, or `timestamps` in its definition, keeps them";
    throw nothingThere(`no times were kept of what job ${job.id} wrote`, hint);
  }
  return wanted;
}

function channelsOf(options: Options, job: Job, mode: () => OutputMode): Channel[] {
  const stream = options.text("stream");
  if (options.flag("exit-handler")) {
    const other = ["stream", "timestamps"].find((name) => options.has(name));
    if (other !== undefined) throw usageError(`--exit-handler and --${other} exclude each other`);
    return ["exit handler"];
  }
  if (stream === undefined) return mode() === "separate" ? ["output", "errors"] : ["output"];
  if (stream !== "stdout" && stream !== "stderr") {
    throw usageError(`--stream must be "stdout" or "stderr", not ${shown(stream)}`);
  }
  if (mode() === "separate") return [stream === "stdout" ? "output" : "errors"];
  const hint = "`submit --output separate`, or `output` in its definition, keeps them apart";
  throw usageError(`job ${job.id} writes stdout and stderr into one log`, hint);
}

/** As its output was kept; else, while there is none, as it will be. */
function modeOf(context: Context, job: Job): OutputMode {
  const kept = context.store.outputs.outputs(job.seq).find(({ stream }) => stream !== "exit handler");
  if (kept) return kept.stream === "log" ? "log" : "separate";
  return limitsOf(context, job)?.output ?? "log";
}

function hasTimes(context: Context, job: Job): boolean {
  const kept = context.store.outputs.outputs(job.seq);
  if (kept.some(({ times, timesPath }) => times !== null || timesPath !== null)) return true;
  const mayCome = kept.length === 0 || !isFinal(job.phase);
  return mayCome && (limitsOf(context, job)?.timestamps ?? true);
}

/** Undefined: only its worker has its definition. */
function limitsOf({ store, configuration }: Context, job: Job): Limits | undefined {
  const { context } = store.jobs.inputs(job.seq);
  if (context.kind === "command") return context.limits;
  return configuration.definitions.get(job.definition ?? "")?.limits;
}

async function printAttempts(store: Store, wanted: Wanted): Promise<void> {
  const { job, first } = wanted;
  if (job.attempts === 0) remark(`job ${job.id} is ${job.phase} and has written nothing: \`reeve why ${job.id}\``);
  for (let number = first; number <= (wanted.last ?? job.attempts); number += 1) {
    await printerOf(store, wanted, number).drain();
  }
}

/** The last lines are those of the first attempt that is asked for; of what comes after it all is new. */
function printerOf(store: Store, { job, first, channels, tail, timestamps }: Wanted, number: number): AttemptPrinter {
  const options = { channels, timestamps, tail: number === first ? tail : undefined };
  return new AttemptPrinter(new AttemptOutput(store, job, number), options);
}

async function follow(store: Store, wanted: Wanted): Promise<void> {
  const bell = new Bell(store);
  try {
    for (let number = wanted.first; await begins(store, bell, wanted, number); number += 1) {
      if (number > wanted.first) remark(`job ${wanted.job.id} goes on with attempt ${number}`);
      const printer = printerOf(store, wanted, number);
      while ((await printer.drain()) === "running") await bell.wait(GROWTH_LOOK_MS);
    }
  } finally {
    bell.close();
  }
}

/** Waits for an attempt; false when there will be none. */
async function begins(store: Store, bell: Bell, { job, last }: Wanted, number: number): Promise<boolean> {
  if (last !== null && number > last) return false;
  for (;;) {
    const now = store.jobs.bySeq(job.seq);
    if (now?.id !== job.id) throw nothingThere(`job ${job.id} was deleted while its output was followed`);
    if (now.attempts >= number) return true;
    if (isFinal(now.phase)) return false;
    await bell.wait(null);
  }
}
