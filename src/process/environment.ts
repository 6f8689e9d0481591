import type { Parameter } from "../store/job.ts";
import type { TreeName } from "./port.ts";
import { traceEnvironment } from "./trace.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command that was submitted takes along, beside what `--env` names. */
const OF_THE_USER = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"];

const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);

/** What a job of a definition gets of the worker's own environment. */
const OF_THE_WORKER = new Set([...OF_THE_USER, ...PROXIES]);

/** Would make a program of this runtime run code, or tell a service manager lies. */
const NEVER = /^(BUN_|WATCHDOG_|NOTIFY_SOCKET$)/;

/** The environment of `submit -- CMD`: who the user is, where programs are, and what was asked for. */
export function submittedEnvironment(caller: Environment, asked: Readonly<Record<string, string>>) {
  return pick(caller, (name) => OF_THE_USER.includes(name) || name.startsWith("LC_"), asked);
}

/** The environment of a definition's job: an allow-list, what it passes on by name, and what it adds. */
export function definitionEnvironment(
  worker: Environment,
  passed: readonly string[],
  added: Readonly<Record<string, string>>,
) {
  const allowed = (name: string): boolean =>
    OF_THE_WORKER.has(name) || name.startsWith("LC_") || name.startsWith("AWS_") || passed.includes(name);
  return pick(worker, allowed, added);
}

/** The environment of a command that is run in the foreground: the caller's, and what was asked for. */
export function foregroundEnvironment(caller: Environment, asked: Readonly<Record<string, string>>) {
  return pick(caller, () => true, asked);
}

function pick(from: Environment, allowed: (name: string) => boolean, added: Readonly<Record<string, string>>) {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(from)) if (value !== undefined && allowed(name)) picked[name] = value;
  for (const [name, value] of Object.entries(added)) picked[name] = value;
  for (const name of Object.keys(picked)) if (NEVER.test(name)) delete picked[name];
  return picked;
}

export interface Delivery {
  readonly queue: string;
  readonly messageId: string;
  readonly receiveCount: number;
}

/** What every job is told of itself. */
export interface Facts {
  readonly job: string;
  readonly attempt: number;
  /** Null: no queue has delivered it. */
  readonly delivery: Delivery | null;
  /** Seconds since 1970 by which the attempt must have ended; null: no limit. */
  readonly deadline: number | null;
  readonly parameters: readonly Parameter[];
  readonly attributes: Readonly<Record<string, string>>;
}

/** The variable by which every process of a tree is known. Its value is in no other process's environment. */
export const TREE_VARIABLE = "REEVE_TREE";

/** Its value for one tree: the job's own, or what is started beside it. */
export const cookieOf = ({ job, attempt, role }: TreeName): string =>
  role === "job" ? `${job}.${attempt}` : `${job}.${attempt}.exit`;

export function factsEnvironment(facts: Facts): Record<string, string> {
  const environment: Record<string, string> = {
    REEVE_JOB_ID: facts.job,
    REEVE_ATTEMPT: String(facts.attempt),
    ...(facts.delivery && deliveryEnvironment(facts.delivery)),
  };
  Object.assign(environment, traceEnvironment(facts.attributes));
  if (facts.deadline !== null) environment["REEVE_DEADLINE"] = String(facts.deadline);
  for (const { name, values } of facts.parameters) {
    environment[`REEVE_PARAM_${variableName(name)}`] = values.join("\n");
  }
  for (const [name, value] of Object.entries(facts.attributes)) {
    environment[`REEVE_ATTR_${variableName(name)}`] = value;
  }
  return environment;
}

const deliveryEnvironment = ({ queue, messageId, receiveCount }: Delivery): Record<string, string> => ({
  ...(receiveCount > 0 && { REEVE_RECEIVE_COUNT: String(receiveCount) }),
  REEVE_MESSAGE_ID: messageId,
  REEVE_QUEUE: queue,
});

/** What shells take for the name of a variable. */
const variableName = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_");
