import type { OutputMode } from "../config/definition.ts";
import { shown } from "../config/wording.ts";
import { EXIT, nothingThere, usageError } from "../errors.ts";
import type { Job } from "../store/job.ts";
import { isFinal } from "../store/phases.ts";
import type { Store } from "../store/store.ts";
import { AttemptOutput, type Channel } from "./attempt-output.ts";
import { Bell } from "./bell.ts";
import { withExistingStore, type Context } from "./context.ts";
import type { Invocation, Options } from "./invocation.ts";
import { print, printError, remark } from "./streams.ts";

/** How often a file that is being written is looked at, in milliseconds. */
const GROWTH_LOOK_MS = 200;

/** What is to be printed of a job. */
interface Wanted {
  readonly job: Job;
  readonly channels: readonly Channel[];
  readonly first: number;
  /** Null: up to the last one there will be. */
  readonly last: number | null;
  readonly tail: number | undefined;
}

/** `reeve logs`: the bytes that a job wrote, as they are. */
export async function run({ args: [prefix = ""], options }: Invocation): Promise<number> {
  return withExistingStore(options, async (context) => {
    const wanted = wantedOf(context, context.store.jobs.byPrefix(prefix), options);
    if (options.flag("follow")) await follow(context.store, wanted);
    else await printAttempts(context.store, wanted);
    return EXIT.done;
  });
}

function wantedOf(context: Context, job: Job, options: Options): Wanted {
  const attempt = options.integer("attempt", 1);
  if (attempt !== undefined && options.flag("all")) throw usageError("--attempt and --all exclude each other");
  if (attempt !== undefined && attempt > job.attempts) {
    throw nothingThere(`job ${job.id} has no attempt ${attempt}`, `it has been started ${job.attempts} times`);
  }
  return {
    job,
    channels: channelsOf(options.text("stream"), job, () => modeOf(context, job)),
    first: attempt ?? (options.flag("all") ? 1 : Math.max(1, job.attempts)),
    last: attempt ?? null,
    tail: options.integer("tail", 0),
  };
}

function channelsOf(stream: string | undefined, job: Job, mode: () => OutputMode): Channel[] {
  if (stream === undefined) return mode() === "separate" ? ["output", "errors"] : ["output"];
  if (stream !== "stdout" && stream !== "stderr") {
    throw usageError(`--stream must be "stdout" or "stderr", not ${shown(stream)}`);
  }
  if (mode() === "separate") return [stream === "stdout" ? "output" : "errors"];
  const hint = "`submit --output separate`, or `output` in its definition, keeps them apart";
  throw usageError(`job ${job.id} writes stdout and stderr into one log`, hint);
}

/** As its output was kept; else, while there is none, as it will be. */
function modeOf({ store, configuration }: Context, job: Job): OutputMode {
  const [kept] = store.outputs.outputs(job.seq);
  if (kept) return kept.stream === "log" ? "log" : "separate";
  const { context } = store.jobs.inputs(job.seq);
  if (context.kind === "command") return context.limits.output;
  return configuration.definitions.get(job.definition ?? "")?.limits.output ?? "log";
}

async function printAttempts(store: Store, wanted: Wanted): Promise<void> {
  const { job, first } = wanted;
  if (job.attempts === 0) remark(`job ${job.id} is ${job.phase} and has written nothing: \`reeve why ${job.id}\``);
  for (let number = first; number <= (wanted.last ?? job.attempts); number += 1) {
    await drain(outputOf(store, wanted, number), wanted.channels);
  }
}

function outputOf(store: Store, { job, first, channels, tail }: Wanted, number: number): AttemptOutput {
  const output = new AttemptOutput(store, job, number);
  if (tail !== undefined && number === first) for (const channel of channels) output.skipToTail(channel, tail);
  return output;
}

/** Prints what is there, and tells whether more may come. */
async function drain(output: AttemptOutput, channels: readonly Channel[]): Promise<"ended" | "running"> {
  // Asked before the last look: what is written until then is found by it.
  const ended = output.hasEnded();
  for (const channel of channels) {
    for (let bytes = output.next(channel); bytes.length > 0; bytes = output.next(channel)) {
      await (channel === "errors" && channels.length > 1 ? printError(bytes) : print(bytes));
    }
  }
  return ended ? "ended" : "running";
}

async function follow(store: Store, wanted: Wanted): Promise<void> {
  const bell = new Bell(store);
  try {
    for (let number = wanted.first; await begins(store, bell, wanted, number); number += 1) {
      const output = outputOf(store, wanted, number);
      while ((await drain(output, wanted.channels)) === "running") await bell.wait(GROWTH_LOOK_MS);
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
