import { EXIT } from "../errors.ts";
import type { Attempt } from "../store/attempt.ts";
import { bodySize, type Job } from "../store/job.ts";
import {
  commandOf,
  deadlineOf,
  errorSummary,
  exitHandlerOf,
  jobDocument,
  MASK,
  readFacts,
  type JobFacts,
} from "../uws/document.ts";
import { quoteOf } from "../uws/quote.ts";
import { withExistingStore, type Context } from "./context.ts";
import type { Invocation, Options } from "./invocation.ts";
import { phaseColour } from "./render/colour.ts";
import { progressOf } from "./render/job-table.ts";
import { printJson } from "./render/json.ts";
import { pairs, screenOf, table, type Screen } from "./render/table.ts";
import { safe, safeLines, shellLine } from "./render/text.ts";
import { byteSize, span, timeAndAge } from "./render/times.ts";
import { formatDuration } from "../config/durations.ts";
import { print } from "./streams.ts";
import { remarkOnUnwatched } from "./unwatched.ts";

/** `reeve show`: all that is known of one job. */
export async function run({ args: [prefix = ""], options }: Invocation): Promise<number> {
  return withExistingStore(options, (context) =>
    context.store.reading(() => showJob(context, context.store.jobs.byPrefix(prefix), options)),
  );
}

/** Prints a job as the options want it. */
export async function showJob({ store, clock }: Context, job: Job, options: Options): Promise<number> {
  const facts = readFacts(store, job, quoteOf(store, job, clock.now()));
  if (options.flag("json")) await printJson(jobDocument(facts));
  else await print(page(facts, clock.now(), screenOf(options)));
  await remarkOnUnwatched(store, [job]);
  return EXIT.done;
}

function page(facts: JobFacts, now: number, screen: Screen): string {
  const parts = [
    pairs([...identity(facts, screen), ...times(facts, now), ...outcome(facts), ...relations(facts)], screen),
    attemptTable(facts.attempts, now, screen),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

type Pair = readonly [name: string, value: string];

function identity({ job, inputs, attempts }: JobFacts, { paint }: Screen): Pair[] {
  const { context } = inputs;
  const size = bodySize(inputs);
  const given = inputs.parameters.map(({ name, values, secret }) => `${name}=${secret ? MASK : values.join(", ")}`);
  return [
    ["job", job.id],
    ["phase", paint(job.phase, phaseColour(job.phase))],
    ["queue", safe(job.queue ?? "")],
    ["message", safe(job.messageId ?? "")],
    ["definition", job.definition ?? ""],
    ["command", safe(shellLine(commandOf(inputs, attempts.at(-1)) ?? []))],
    ["exit handler", safe(shellLine(exitHandlerOf(inputs, attempts.at(-1)) ?? []))],
    ["directory", safe(context.kind === "command" ? context.cwd : (attempts.at(-1)?.cwd ?? ""))],
    ["parameters", safeLines(given.join("\n"))],
    ["body", size === null ? "" : byteSize(size)],
    ["run id", safe(job.runId ?? "")],
    ["owner", safe(job.owner ?? "")],
    ["priority", job.priority === 0 ? "" : String(job.priority)],
  ];
}

function times({ job, quote, attempts }: JobFacts, now: number): Pair[] {
  const time = (at: number | null): string => (at === null ? "" : timeAndAge(at, now));
  const running = attempts.find(({ endedAt }) => endedAt === null);
  return [
    ["created", time(job.createdAt)],
    ["due", time(job.availableAt)],
    ["expires", job.startedAt === null ? time(job.expiresAt) : ""],
    ["started", time(job.startedAt)],
    ["likely until", time(quote)],
    ["asked to run until", time(running ? deadlineOf(running) : null)],
    ["ended", time(job.endedAt)],
    ["may run for", job.executionDuration === 0 ? "" : formatDuration(job.executionDuration * 1000)],
    ["forgotten", time(job.destruction)],
  ];
}

function outcome({ job, results, attempts }: JobFacts): Pair[] {
  const error = errorSummary(job);
  const leftOut = attempts.at(-1)?.leftOut ?? 0;
  return [
    ["progress", job.progress === null ? "" : progressOf(job, job.progress)],
    ["error", error === null ? "" : `${safeLines(error.message)} (${error.type})`],
    ["detail", safeLines(error?.detail ?? "")],
    ["hint", safe(error?.hint ?? "")],
    ["results", results.map(({ id, type, size }) => `${safe(id)} (${safe(type)}, ${byteSize(size)})`).join("\n")],
    ["output", leftOut === 0 ? "" : `${byteSize(leftOut)} of it were not kept`],
  ];
}

function relations({ job, waitsFor, workerTrouble }: JobFacts): Pair[] {
  return [
    ["waits for", waitsFor.join("\n")],
    ["worker", job.worker ?? ""],
    ["it is ill", safe(workerTrouble ?? "")],
    ["abort by", safe(job.abortBy ?? "")],
    ["suspended by", safe(job.suspendBy ?? "")],
    ["held by", safe(job.heldBy ?? "")],
    ["retry of", job.retryOf ?? ""],
    ["retried as", job.retriedAs ?? ""],
  ];
}

const ATTEMPT_HEAD = ["ATTEMPT", "STARTED", "TOOK", "PID", "CPU", "MEMORY", "VERDICT", "ENDING"];

function attemptTable(attempts: readonly Attempt[], now: number, screen: Screen): string {
  if (attempts.length === 0) return "";
  const rows = attempts.map((attempt) => [
    String(attempt.number),
    timeAndAge(attempt.startedAt, now),
    span(attempt.startedAt, attempt.endedAt, now),
    attempt.pid === null ? "" : String(attempt.pid),
    cpuOf(attempt),
    attempt.peakBytes === null ? "" : byteSize(attempt.peakBytes),
    attempt.verdict ?? "",
    [endingOf(attempt), cleanUpOf(attempt)].filter(Boolean).join("; "),
  ]);
  return table(ATTEMPT_HEAD, rows, screen);
}

function cpuOf({ userMicroseconds, systemMicroseconds }: Attempt): string {
  if (userMicroseconds === null || systemMicroseconds === null) return "";
  return formatDuration((userMicroseconds + systemMicroseconds) / 1000);
}

/** How an attempt ended, as far as its row tells. */
export function endingOf({ ending, exitCode, signal, cause, detail, endedAt }: Attempt): string {
  if (ending === null) return endedAt === null ? "" : "not run";
  const how = exitCode === null ? (signal ?? ending) : `exit code ${exitCode}`;
  const because = cause === null ? "" : ` (${cause})`;
  return safe(`${how}${because}${detail === null ? "" : `: ${detail}`}`);
}

function cleanUpOf({ cleanUp, cleanUpTries }: Attempt): string {
  if (cleanUp !== null) return `clean-up ${cleanUp}`;
  return cleanUpTries === 0 ? "" : "cleaning up";
}
