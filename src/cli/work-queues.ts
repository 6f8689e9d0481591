import { systemClock } from "../clock.ts";
import { COMMAND_LINE, DEFAULT_LIMITS, type Configuration, type Definition } from "../config/definition.ts";
import { leaseProblem } from "../config/lease.ts";
import type { MessageRoutes } from "../config/message-route.ts";
import type { GivenParameter } from "../config/parameters.ts";
import { templateProblems } from "../config/problems.ts";
import { Router } from "../config/routing.ts";
import { shown, suggestion } from "../config/wording.ts";
import { configurationError, usageError } from "../errors.ts";
import type { Queue } from "../queue/port.ts";
import { SqliteQueue } from "../queue/sqlite.ts";
import { runtime } from "../runtime/index.ts";
import type { Store } from "../store/store.ts";
import { newId } from "../store/new-id.ts";
import type { Invocation } from "./invocation.ts";
import { chosenQueue, type ChosenQueue } from "./queues.ts";
import { pairOf } from "./submission/readers.ts";
import { requestOf } from "./submission/flags.ts";

/** What a worker is to work on, checked as far as it can be before any message is taken. */
export interface WorkPlan {
  readonly queues: readonly ChosenQueue[];
  /** With that of the command line. */
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly commandLine: Definition | null;
  readonly extra: readonly GivenParameter[];
  /** The job of all messages that nobody names another for; null: as the queue's `job` says. */
  readonly job: string | null;
}

/**
 * @throws ReeveError (usage, configuration) for what could not work with any message: a lease that cannot be kept, a
 *   parameter that nothing takes, a command line for the store's own queue, whose jobs bring theirs.
 */
export function planWork(invocation: Invocation, configuration: Configuration): WorkPlan {
  const queues = queuesOf(invocation, configuration);
  const extra = invocation.options.texts("param").map((text) => pairOf("--param", text));
  const commandLine = commandLineOf(invocation, extra);
  const job = jobOf(invocation, configuration, queues);
  const own = queues.find(({ definition }) => definition === null);
  if (own && (commandLine || extra.length > 0 || job !== null)) throw refused(own);
  const definitions = new Map(configuration.definitions);
  if (commandLine) definitions.set(COMMAND_LINE, commandLine);
  refuseShortLeases(queues, commandLine ? [commandLine] : [...definitions.values()]);
  return { queues, definitions, commandLine, extra, job };
}

function jobOf(
  { args: [name], command }: Invocation,
  { definitions }: Configuration,
  queues: readonly ChosenQueue[],
): string | null {
  if (name === undefined) return null;
  if (command.length > 0)
    throw usageError(`a job and a command for the same messages: ${shown(name)} and what is after --`);
  if (!definitions.has(name)) {
    throw usageError(
      `there is no job ${shown(name)}${suggestion(name, definitions.keys())}`,
      "a name of [jobs.…], or of a job that --jobs has",
    );
  }
  const other = queues.find(({ definition }) => definition && definition.job !== null && definition.job !== name);
  if (!other) return name;
  throw usageError(
    `the messages of ${other.name} are for ${other.definition?.job}, as its \`job\` says, and not for ${name}`,
  );
}

function queuesOf({ options }: Invocation, configuration: Configuration): ChosenQueue[] {
  const chosen = chosenQueue(options, configuration);
  if (chosen) return [chosen];
  if (configuration.queues.size === 0) return [{ name: "sqlite", definition: null }];
  const all = [...configuration.queues].map(([name, queue]) => ({
    name,
    definition: queue.type === "sqs" ? queue : null,
  }));
  // The store's own is one queue, by however many names.
  return all.filter(({ definition }, index) => definition !== null || index === all.findIndex(isOwn));
}

const isOwn = ({ definition }: ChosenQueue): boolean => definition === null;

const refused = ({ name }: ChosenQueue) =>
  usageError(
    `\`work JOB\`, \`work -- COMMAND\` and --param are for a queue whose messages bring no command; the jobs of ${name} bring theirs`,
    "`reeve submit -- COMMAND`, then `reeve work`; or name an SQS queue: `reeve work --queue URL -- COMMAND`",
  );

/** What is run for every message. */
function commandLineOf(invocation: Invocation, extra: readonly GivenParameter[]): Definition | null {
  const { command, options } = invocation;
  const asked = requestOf(invocation, process.env);
  if (command.length === 0) {
    if (asked.exitHandler || Object.keys(asked.limits).length > 0 || asked.cwd !== null) throw withoutCommand();
    return null;
  }
  const parameters = new Map(extra.map(({ name }) => [name, declared(extra, name)]));
  const [problem] = templateProblems(command, parameters);
  if (problem) throw usageError(`argument ${problem.path.join(".")} of the command ${problem.message}`);
  return {
    name: COMMAND_LINE,
    command: [...command],
    parameters,
    limits: { ...DEFAULT_LIMITS, ...asked.limits },
    environment: { ...asked.environment, ...asked.secretEnvironment },
    passEnvironment: [],
    cwd: options.text("cwd") ?? process.cwd(),
    ...(asked.exitHandler && { exitHandler: asked.exitHandler }),
  };
}

const withoutCommand = () =>
  usageError("limits, --cwd and --exit-handler are for `work -- COMMAND`; definitions have theirs in reeve.toml");

/** Whoever starts the worker chose it: it may look like an option. */
function declared(extra: readonly GivenParameter[], name: string) {
  const times = extra.filter((one) => one.name.toLowerCase() === name.toLowerCase()).length;
  const kind = times > 1 ? ("strings" as const) : ("string" as const);
  return { kind, required: false, default: times > 1 ? [] : "", secret: false, allowLeadingDash: true };
}

function refuseShortLeases(queues: readonly ChosenQueue[], definitions: readonly Definition[]): void {
  for (const { name, definition: queue } of queues) {
    for (const { name: job, limits } of queue ? definitions : []) {
      const problem = queue && leaseProblem({ ...queue, graceMs: limits.graceMs });
      const whose = job === COMMAND_LINE ? "the command" : `jobs.${job}`;
      if (problem !== null) throw configurationError(`queue ${name} and ${whose}: ${problem}`);
    }
  }
}

export interface OpenQueues {
  readonly store: Store;
  readonly worker: string;
  readonly warn: (what: string) => void;
  readonly routes: MessageRoutes | undefined;
}

/** Makes the queues. What SQS needs is loaded only when one is there. */
export function openQueues(plan: WorkPlan, { store, worker, warn, routes }: OpenQueues): Promise<Queue[]> {
  return Promise.all(
    plan.queues.map(async ({ definition }) => {
      if (!definition) return new SqliteQueue(store, worker, systemClock.now);
      const { definitions, commandLine, extra, job } = plan;
      const named = new Map([...definitions].filter(([name]) => name !== COMMAND_LINE));
      const asked = routes?.names ?? [];
      const router = new Router({ definitions: named, commandLine, job: job ?? definition.job, extra, asked });
      const { openSqsQueue } = await import("../queue/sqs-opening.ts");
      const around = { clock: systemClock, runtime, random: Math.random, environment: process.env, newId, warn };
      return openSqsQueue(definition, { ...around, store, router, definitions, worker, ...(routes && { routes }) });
    }),
  );
}
