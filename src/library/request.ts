import { emptyRequest, type JobRequest } from "../cli/submission/request.ts";
import { parseDuration } from "../config/durations.ts";
import type { GivenParameter } from "../config/parameters.ts";
import { messageOf, usageError } from "../errors.ts";
import { readLimits, type Duration, type LimitSettings } from "./settings.ts";

/** The value of a parameter; a list for one of the type `"strings"`. */
export type ParameterValue = string | number | boolean | readonly string[];

/** What every job can be given. */
export interface RequestBase {
  /** On its stdin. */
  readonly body?: string | Uint8Array | undefined;
  /** The higher, the sooner; 0. */
  readonly priority?: number | undefined;
  /** Not before so much time has passed. */
  readonly delay?: Duration | undefined;
  /** It is ABORTED if it was not started within so much time. */
  readonly expires?: Duration | undefined;
  /** Ids of jobs that must be COMPLETED first. */
  readonly after?: readonly string[] | undefined;
  /** No second job of this key while one has not been started: the id is that one's then. */
  readonly dedupe?: string | undefined;
  /** It is made PENDING, and waits for {@link JobStore.start}. */
  readonly hold?: boolean | undefined;
  /** A label of your own. */
  readonly runId?: string | undefined;
  /** What all attempts may run together, in whole seconds. */
  readonly executionDuration?: Duration | undefined;
}

/** A command, with limits of its own. */
export interface CommandRequest extends RequestBase, Omit<LimitSettings, "executionDuration"> {
  /** An argv; nothing in it is expanded, and no shell sees it. */
  readonly command: readonly string[];
  /** Where it runs; this process's own directory. */
  readonly cwd?: string | undefined;
  /** Variables beside PATH, HOME, LANG and their like, which it has of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The same, shown to nobody. */
  readonly secretEnv?: Readonly<Record<string, string>> | undefined;
  /** The argv of what cleans up after it, if it does not get to end by itself. */
  readonly exitHandler?: readonly string[] | undefined;
}

/** A job of a definition. */
export interface DefinitionRequest extends RequestBase {
  /** The definition's name. */
  readonly job: string;
  readonly params?: Readonly<Record<string, ParameterValue>> | undefined;
  /** Paths, for parameters of the type `"file"`. */
  readonly files?: Readonly<Record<string, string>> | undefined;
}

/** What is to be run. */
export type SubmitRequest = CommandRequest | DefinitionRequest;

/** What is to be sent to an SQS queue: a job of a definition of its worker's, or a body as it is. */
export interface MessageRequest {
  /** The name of a definition that the worker has; without one the body is sent as it is. */
  readonly job?: string | undefined;
  readonly params?: Readonly<Record<string, ParameterValue>> | undefined;
  readonly body?: string | undefined;
  /** Message attributes; a number is sent as a Number. */
  readonly attributes?: Readonly<Record<string, string | number>> | undefined;
  /** Up to 15 minutes, in whole seconds; not on a FIFO queue. */
  readonly delay?: Duration | undefined;
  /** The message group; a FIFO queue needs one. */
  readonly group?: string | undefined;
  /** The deduplication id of a FIFO queue; the job's id. */
  readonly dedupe?: string | undefined;
}

/** As the command line would have read it. @throws ReeveError (usage, configuration) for what is no duration or limit. */
export async function readRequest(given: SubmitRequest): Promise<JobRequest> {
  const common = { ...emptyRequest(), ...commonPart(given) };
  if ("job" in given) return { ...common, ...definitionPart(given) };
  return { ...common, ...(await commandPart(given)) };
}

function commonPart(given: RequestBase): Partial<JobRequest> {
  return {
    body: bytesOf(given.body),
    priority: given.priority ?? null,
    delayMs: milliseconds("delay", given.delay),
    expiresMs: milliseconds("expires", given.expires),
    executionDurationMs: milliseconds("executionDuration", given.executionDuration),
    after: [...(given.after ?? [])],
    dedupe: given.dedupe ?? null,
    hold: given.hold ?? false,
    runId: given.runId ?? null,
  };
}

function definitionPart({ job, params = {}, files = {} }: DefinitionRequest): Partial<JobRequest> {
  const paths = Object.entries(files).map(([name, file]) => ({ name, value: "", file }));
  return { job, parameters: parametersOf(params), files: paths };
}

const NO_LIMITS = ["command", "cwd", "env", "secretEnv", "exitHandler"] as const;
const COMMON = [
  "body",
  "priority",
  "delay",
  "expires",
  "after",
  "dedupe",
  "hold",
  "runId",
  "executionDuration",
] as const;

async function commandPart(given: CommandRequest): Promise<Partial<JobRequest>> {
  const limits: Record<string, unknown> = { ...given };
  for (const key of [...NO_LIMITS, ...COMMON]) delete limits[key];
  return {
    command: [...given.command],
    cwd: given.cwd ?? null,
    environment: { ...given.env },
    secretEnvironment: { ...given.secretEnv },
    exitHandler: given.exitHandler ? [...given.exitHandler] : null,
    limits: await readLimits(limits),
  };
}

/** @throws ReeveError (usage) for what cannot be sent. */
export function readMessageRequest(given: MessageRequest): JobRequest {
  const { params = {}, attributes = {} } = given;
  return {
    ...emptyRequest(),
    job: given.job ?? null,
    parameters: parametersOf(params),
    body: bytesOf(given.body),
    attributes: Object.entries(attributes).map(([name, value]) => ({
      name,
      dataType: typeof value === "number" ? "Number" : "String",
      value: String(value),
    })),
    delayMs: milliseconds("delay", given.delay),
    group: given.group ?? null,
    dedupe: given.dedupe ?? null,
  };
}

export const parametersOf = (params: Readonly<Record<string, ParameterValue>>): GivenParameter[] =>
  Object.entries(params).flatMap(([name, value]) => [value].flat().map((one) => ({ name, value: String(one) })));

function bytesOf(body: string | Uint8Array | undefined): Uint8Array | null {
  return typeof body === "string" ? new TextEncoder().encode(body) : (body ?? null);
}

/** @throws ReeveError (usage) for what is no duration. */
export function milliseconds(setting: string, given: Duration | undefined): number | null {
  if (given === undefined) return null;
  try {
    return parseDuration(given);
  } catch (error) {
    throw usageError(`${setting}: ${messageOf(error)}`);
  }
}
