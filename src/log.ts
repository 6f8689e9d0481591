import { safe } from "./config/wording.ts";
import { unreachable } from "./errors.ts";
import type { Emit, JobCounts, WorkerEvent } from "./events.ts";
import { describeEnding } from "./store/endings.ts";

export type Level = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  /** Only what needs somebody's attention. */
  readonly quiet: boolean;
  /** Undefined: where stderr is no terminal. */
  readonly ndjson: boolean | undefined;
}

export interface Log {
  readonly emit: Emit;
  readonly isTerminal: boolean;
  /** Writes out what is still waiting. */
  close(): Promise<void>;
}

/** Milliseconds for which lines are gathered: a line by itself costs a system call, which a small job feels. */
const GATHER_MS = 20;

/** Turns a worker's events into lines on stderr: for people on a terminal, as NDJSON elsewhere. */
export async function createLog(options: LogOptions): Promise<Log> {
  const isTerminal = process.stderr.isTTY === true && options.ndjson !== true;
  const write = isTerminal ? await consoleWriter() : ndjsonWriter();
  const least = options.quiet ? "warn" : "info";
  const emit: Emit = (event) => {
    const line = describe(event);
    if (RANK[line.level] >= RANK[least]) write.line(line, event);
  };
  return { emit, isTerminal, close: write.close };
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

interface Writer {
  line(line: Line, event: WorkerEvent): void;
  close(): Promise<void>;
}

function ndjsonWriter(): Writer {
  let waiting = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    process.stderr.write(waiting);
    waiting = "";
  };
  return {
    line({ level, message, fields }, { type }) {
      waiting += `${JSON.stringify({ time: new Date().toISOString(), level, event: type, message, ...fields })}\n`;
      timer ??= setTimeout(flush, GATHER_MS);
    },
    async close() {
      clearTimeout(timer);
      if (waiting !== "") flush();
    },
  };
}

async function consoleWriter(): Promise<Writer> {
  const { createConsola } = await import("consola/basic");
  const consola = createConsola({ stdout: process.stderr, stderr: process.stderr, formatOptions: { date: true } });
  return {
    line({ level, message }) {
      // Clears the progress line, which is drawn again.
      process.stderr.write("\r\u001b[K");
      consola[level](safe(message));
    },
    close: async () => {},
  };
}

/** The one place where an event becomes words. */
export function describe(event: WorkerEvent): Line {
  switch (event.type) {
    case "worker started":
      return info(`worker ${event.worker} runs up to ${event.concurrency} jobs at once from ${event.store}`, event);
    case "worker stopping":
      return info(`stopping: ${event.why}`, event);
    case "worker ended":
      return info(`worker ended: ${describeCounts(event.counts)}${describeLeft(event.left)}`, event);
    case "job started":
      return { level: "debug", message: `job ${event.job} started (attempt ${event.attempt}, pid ${event.pid})` };
    case "job adopted":
      return info(`job ${event.job} has outlived worker ${event.from} and goes on under this one`, event);
    case "job ended":
      return describeEnd(event);
    case "end not recorded":
      return describeUnrecorded(event);
    case "job warning":
      return { level: "warn", message: `job ${event.job}: ${event.warning}`, fields: { job: event.job } };
    case "job said":
      return { level: levelOf(event.level), message: `job ${event.job}: ${event.said}`, fields: { job: event.job } };
    case "lease extended":
      return info(`job ${event.job}: ${event.what}`, event);
    case "lease not extended":
      return warn(`job ${event.job}: ${event.what}`, event);
    case "lease lost":
      return warn(`job ${event.job}: its lease is lost: ${event.why}`, event);
    case "not told":
      return warn(`job ${event.job}: ${event.why}`, event);
    case "queue trouble":
      return warn(describeQueueTrouble(event), event);
    case "queue healed":
      return info(`${event.queue} answers again`, event);
    case "suspended":
      return info(`job ${event.job} stands still, asked by ${event.by}`, event);
    case "resumed":
      return info(`job ${event.job} goes on`, event);
    case "cleaned up":
      return describeCleanUp(event);
    case "signalled":
      return info(`job ${event.job} is being ended: ${event.why}`, event);
    case "definition paused":
      return warn(`jobs of ${event.definition} wait for ${event.forMs / 1000} s: ${event.why}`, event);
    case "taking nothing":
      return warn(`no job is taken for ${event.forMs / 1000} s: ${event.why}`, event);
    case "module said":
      return info(`${safe(event.module)}: ${safe(event.said)}`, event);
    case "routing failed":
      return warn(`no message is taken for ${event.forMs / 1000} s, and then one: ${safe(event.why)}`, event);
    case "routing healed":
      return info("it is known again whose messages are", event);
    case "recovered":
      return info(`cleaned up ${event.jobs} jobs of worker ${event.worker}, which is dead`, event);
    case "job unknown":
      return warn(`job ${event.job}: ${event.what}`, event);
    case "destroyed":
      return info(`destroyed ${event.jobs} jobs whose time had come`, event);
    case "service started":
      return info(`serving ${event.address}`, event);
    case "service ended":
      return info("service ended", event);
    case "request failed":
      return { level: "error", message: `a request failed: ${event.what}` };
    case "warning":
      return { level: "warn", message: event.what };
    case "trouble":
      return { level: "error", message: event.what };
    case "healed":
      return info("the store works again", event);
    default:
      return unreachable(event);
  }
}

const describeCounts = ({ completed, failed, putBack }: JobCounts): string =>
  `${completed} completed, ${failed} failed, ${putBack} put back`;

const describeLeft = (jobs: number): string => (jobs === 0 ? "" : `, ${jobs} left to the next worker as they run`);

/** A job may say what it likes. */
const levelOf = (text: string): Level => (text === "debug" || text === "warn" || text === "error" ? text : "info");

function describeEnd({ job, attempt, end, settlement, ranMs }: Extract<WorkerEvent, { type: "job ended" }>): Line {
  const { phase, verdict } = settlement;
  const how = describeEnding(end);
  return {
    level: phase === "ERROR" ? "warn" : "info",
    message: `job ${job} ${phase} after ${(ranMs / 1000).toFixed(3)} s: ${how}`,
    fields: { job, attempt, phase, verdict: verdict.kind, ending: how, cause: end.cause, seconds: ranMs / 1000 },
  };
}

function describeQueueTrouble({ what, hint, forMs }: Extract<WorkerEvent, { type: "queue trouble" }>): string {
  const todo = hint === null ? "" : `; ${hint}`;
  return `${what}${todo} (tried again after ${(forMs / 1000).toFixed(1)} s)`;
}

function describeUnrecorded({ job, end, why }: Extract<WorkerEvent, { type: "end not recorded" }>): Line {
  const message = `job ${job}: its end (${describeEnding(end)}) was not recorded: ${why}`;
  return { level: "error", message, fields: { job } };
}

function describeCleanUp(event: Extract<WorkerEvent, { type: "cleaned up" }>): Line {
  const { outcome, tries, tookMs } = event.cleanUp;
  const how = { done: "has cleaned up", failed: "failed", owed: "was cut short, and is owed" }[outcome];
  const message = `job ${event.job}: its exit handler ${how} (tries: ${tries}, ${(tookMs / 1000).toFixed(3)} s)`;
  return outcome === "done" ? info(message, event) : warn(message, event);
}

function info(message: string, event: WorkerEvent): Line {
  const fields = Object.fromEntries(Object.entries(event).filter(([name]) => name !== "type"));
  return { level: "info", message, fields };
}

function warn(message: string, event: WorkerEvent): Line {
  return { ...info(message, event), level: "warn" };
}
