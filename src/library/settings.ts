import { resolve } from "node:path";
import { jobTablesOf } from "../config/configuration.ts";
import type {
  Definition,
  Isolation,
  Limits,
  OutputMode,
  ParameterKind,
  PutBack,
  StopSignal,
} from "../config/definition.ts";
import type { QueueDefinition } from "../config/queue-definition.ts";
import { configurationError } from "../errors.ts";

/** A span of time: `"10m"`, `"2h30m"`, `"500ms"`, or a number of seconds. */
export type Duration = string | number;

/** What bounds a job's run. What is left out is as for a job of the command line. */
export interface LimitSettings {
  /** What one attempt may take; no limit. */
  readonly timeout?: Duration | undefined;
  /** Between the stop signal and KILL; 10 s. */
  readonly grace?: Duration | undefined;
  /** Failures until it is given up; 1 on the store's own queue, on SQS as the queue's redrive policy says. */
  readonly maxAttempts?: number | undefined;
  /** Starts without a recorded ending until it is given up; 3. */
  readonly maxLost?: number | undefined;
  /** What all attempts may run together, in whole seconds; no limit. */
  readonly executionDuration?: Duration | undefined;
  /** When its worker is lost; `"release"`. */
  readonly onLost?: PutBack | undefined;
  /** When it is killed from outside; `"fail"`, on SQS `"release"`. */
  readonly onSignal?: PutBack | undefined;
  /** Exit codes that say: never run this again. */
  readonly reject?: readonly number[] | undefined;
  /** Exit codes that say: not now, put it back. */
  readonly release?: readonly number[] | undefined;
  /** Before what was put back by its exit code is due again; at once. */
  readonly releaseDelay?: Duration | undefined;
  /** The first step of the exponential backoff after a failure; 5 s. */
  readonly backoff?: Duration | undefined;
  /** No backoff is longer; 15 min. */
  readonly backoffCap?: Duration | undefined;
  /** One log in the order written, or stdout and stderr apart; `"log"`. */
  readonly output?: OutputMode | undefined;
  /** What is kept of the output, from its beginning and its end: bytes, or a text such as `"10MB"`; all. */
  readonly outputLimit?: string | number | undefined;
  /** When each line was written is kept, too. */
  readonly timestamps?: boolean | undefined;
  /** What asks it to stop; `"TERM"`. */
  readonly stopSignal?: StopSignal | undefined;
  /** What it may go on for by itself when its worker stops; not at all. */
  readonly finishTimeout?: Duration | undefined;
  /** What an exit with 0 at a stop of the worker means; `"release"`. */
  readonly termExitZero?: Limits["termExitZero"] | undefined;
  /** What one try of the exit handler may take; 30 s. */
  readonly exitHandlerTimeout?: Duration | undefined;
  /** What its main process left running lives on; only with `maxAttempts: 1`. */
  readonly keepDescendants?: boolean | undefined;
  /** `"pid"`: in a pid namespace of its own. */
  readonly isolate?: Isolation | undefined;
  /** It goes on when its worker ends, and the next worker adopts it. */
  readonly outlive?: boolean | undefined;
  /** How much of the machine its processes may have. */
  readonly limits?: ResourceSettings | undefined;
}

/** How much of the machine a job's processes may have. What is left out is not bounded. */
export interface ResourceSettings {
  /** Of the whole tree: bytes, or a text such as `"512MB"`. */
  readonly memory?: string | number | undefined;
  /** Processors, of the whole tree. */
  readonly cpu?: number | undefined;
  /** Processes at once, of the whole tree. */
  readonly processes?: number | undefined;
  /** Processor time, of each process. */
  readonly cpuTime?: Duration | undefined;
  /** Open descriptors, of each process. */
  readonly openFiles?: number | undefined;
  /** Of each file that is written: bytes, or a text such as `"1GB"`. */
  readonly fileSize?: string | number | undefined;
  /** From -20 to 19, see nice(2). */
  readonly nice?: number | undefined;
  /** In octal digits, see umask(2). */
  readonly umask?: string | undefined;
  /** As whom its processes run; only for root. */
  readonly user?: string | number | undefined;
  readonly group?: string | number | undefined;
  /** Those of the above that are done without where they cannot be had, as `reeve.toml` calls them (`"cpu_time"`). */
  readonly optional?: readonly string[] | undefined;
}

/** What one parameter of a definition accepts. */
export interface ParameterSettings {
  /** `"string"`. */
  readonly type?: ParameterKind | undefined;
  readonly required?: boolean | undefined;
  /** Where in a message its value is: `"body.a.b"`, `"attr.x"`. */
  readonly from?: string | undefined;
  readonly default?: string | number | boolean | readonly string[] | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly choices?: readonly (string | number)[] | undefined;
  /** A regular expression that the whole value must match. */
  readonly pattern?: string | undefined;
  /** In characters. */
  readonly maxLength?: number | undefined;
  /** Its value is masked wherever it would be shown. */
  readonly secret?: boolean | undefined;
  /** Its value may begin an argument with `-`. */
  readonly allowLeadingDash?: boolean | undefined;
  readonly description?: string | undefined;
}

/** A named way to make jobs: what `[jobs.NAME]` is in `reeve.toml`, with keys in camel case. */
export interface JobDefinition extends LimitSettings {
  /** An argv template without a shell: `["./resize.sh", "{param.image}"]`. */
  readonly command: readonly string[];
  /** By name: the kind of one that is required, or all that is to be said of it. */
  readonly params?: Readonly<Record<string, ParameterKind | ParameterSettings>> | undefined;
  /** An argv template: what cleans up after a job that did not get to end by itself. */
  readonly exitHandler?: readonly string[] | undefined;
  /** What its environment gets beyond the allow-list; the values are templates. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Names that are passed on from the worker's environment, beyond the allow-list. */
  readonly passEnv?: readonly string[] | undefined;
  /** From where this process works. */
  readonly cwd?: string | undefined;
  readonly description?: string | undefined;
  /** Which messages of an SQS queue are for it. */
  readonly route?:
    | { readonly attribute: string; readonly equals: string }
    | { readonly field: string; readonly equals: string }
    | undefined;
}

/** By name. */
export type JobDefinitions = Readonly<Record<string, JobDefinition>>;

type Plain = Record<string, unknown>;

/**
 * Definitions as a worker has them, checked as those of `reeve.toml` are.
 *
 * @throws ReeveError (configuration) with a line for each thing that is wrong
 */
export async function readDefinitions(given: JobDefinitions, cwd: string): Promise<Map<string, Definition>> {
  const jobs = mapped(given, jobTable);
  const table = await checked({ jobs }, "definitions");
  return new Map(
    Object.entries(jobTablesOf(table)).map(([name, job]) => [
      name,
      { ...job, name, cwd: resolve(cwd, job.cwd ?? ".") },
    ]),
  );
}

/** @throws ReeveError (configuration) with a line for each limit that is wrong */
export async function readLimits(given: LimitSettings): Promise<Limits> {
  const table = await checked({ jobs: { job: { ...snaked(given), command: ["true"] } } }, "job");
  const limits = jobTablesOf(table)["job"]?.limits;
  if (!limits) throw new Error("the limits of a job were lost");
  return limits;
}

/** @throws ReeveError (configuration) with a line for each thing that is wrong */
export async function readQueue(given: object): Promise<QueueDefinition> {
  const table = await checked({ queues: { queue: snaked(given) } }, "queue");
  const queue = table.queues?.["queue"];
  if (!queue) throw new Error("the settings of a queue were lost");
  return queue;
}

async function checked(document: Plain, what: string) {
  const { checkDocument } = await import("../config/schema.ts");
  const result = checkDocument(document);
  if ("table" in result) return result.table;
  const lines = result.problems.map(({ path, message }) => `${placeOf(path.map(String), what)} ${message}`);
  throw configurationError(lines.join("\n"));
}

/** As whoever wrote it would look for it: `definitions.resize.maxAttempts`. */
function placeOf([, name = "", ...keys]: readonly string[], what: string): string {
  const isNamed = what === "definitions";
  return [what, ...(isNamed ? [name] : []), ...keys.map(camel)].join(".");
}

function jobTable({ params, ...others }: JobDefinition): Plain {
  const declared =
    params && mapped(params, (one) => (typeof one === "string" ? { type: one, required: true } : snaked(one)));
  return { ...snaked(others), ...(declared && { params: declared }) };
}

const mapped = <T>(given: Readonly<Record<string, T>>, map: (one: T) => unknown): Plain =>
  Object.fromEntries(Object.entries(given).map(([name, one]) => [name, map(one)]));

/** The same with the keys of `reeve.toml`; what is undefined was not said. */
function snaked(given: object): Plain {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said.map(([key, value]) => [snake(key), key === "limits" ? snaked(value) : value]));
}

const snake = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const camel = (key: string): string => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
