import * as v from "valibot";
import {
  CONTAINMENTS,
  DEFAULT_LIMITS,
  type Definition,
  ISOLATIONS,
  type Limits,
  type ParameterDefinition,
  type ResourceLimits,
  STOP_SIGNALS,
  TERM_EXIT_ZERO,
} from "./definition.ts";
import { route } from "./message-schema.ts";
import { environmentProblems, exitCodeProblems, limitProblems, type Problem, templateProblems } from "./problems.ts";
import { parameters } from "./parameter-schema.ts";
import { queue } from "./queue-schema.ts";
import { referenceProblems } from "./references.ts";
import { service, users } from "./service-schema.ts";
import { readOutputLimit, readResource, RESOURCE_KEYS } from "./resources.ts";
import {
  count,
  duration,
  flag,
  issueAt,
  lostKeyProblems,
  NAME,
  NAME_SENTENCE,
  named,
  nonEmpty,
  oneOf,
  openTable,
  optional,
  parsed,
  passable,
  positiveDuration,
  present,
  someOf,
  table,
  text,
} from "./schema-parts.ts";

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const VARIABLE_SENTENCE = "must begin with a letter or `_`, and have only letters, digits and `_`";

/** Names that the service's own paths have, so that no definition can. */
const RESERVED = ["jobs", "metrics", "health", "capabilities", "static", "events", "admin", "api", "index"];

const words = someOf(passable, 'must be a list of words, such as ["sh", "-c", "…"]');
const putBack = oneOf(["release", "fail"]);
const exitCodes = v.array(
  v.pipe(count(1), v.maxValue(255, "must be at most 255")),
  "must be a list of exit codes, such as [65]",
);

const resources = v.pipe(
  table(Object.fromEntries(RESOURCE_KEYS.map((key) => [key, optional(parsed((given) => readResource(key, given)))]))),
  v.transform((given) =>
    Object.values(given).reduce<ResourceLimits>((all, one) => ({ ...all, ...one }), { optional: [] }),
  ),
);

const limitEntries = {
  timeout: optional(duration),
  grace: optional(duration),
  max_attempts: optional(count(1)),
  max_lost: optional(count(1)),
  execution_duration: optional(duration),
  on_lost: optional(putBack),
  on_signal: optional(putBack),
  reject: optional(exitCodes),
  release: optional(exitCodes),
  release_delay: optional(duration),
  backoff: optional(duration),
  backoff_cap: optional(duration),
  output: optional(oneOf(["log", "separate"])),
  output_limit: optional(parsed(readOutputLimit)),
  timestamps: optional(flag),
  stop_signal: optional(oneOf(STOP_SIGNALS)),
  finish_timeout: optional(duration),
  term_exit_zero: optional(oneOf(TERM_EXIT_ZERO)),
  exit_handler_timeout: optional(positiveDuration),
  keep_descendants: optional(flag),
  isolate: optional(oneOf(ISOLATIONS)),
  outlive: optional(flag),
  limits: optional(resources),
};

const templateEntries = {
  command: words,
  params: optional(parameters),
  exit_handler: optional(words),
  env: optional(named(VARIABLE, VARIABLE_SENTENCE, passable)),
};

const jobTable = table({
  ...templateEntries,
  pass_env: optional(v.array(v.pipe(text(), v.regex(VARIABLE, VARIABLE_SENTENCE)), "must be a list of names")),
  cwd: optional(nonEmpty),
  description: optional(text()),
  route: optional(route),
  ...limitEntries,
});

type JobTable = v.InferOutput<typeof jobTable>;

const job = v.pipe(
  jobTable,
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const problem of jobProblems(dataset.value)) addIssue(issueAt(problem));
  }),
  v.transform(toDefinition),
);

function jobProblems(given: JobTable): Problem[] {
  const limits = toLimits(given);
  const { backoffBaseMs, backoffCapMs } = limits;
  const capped = backoffCapMs < backoffBaseMs;
  return [
    ...exitCodeProblems(given.reject ?? [], given.release ?? []),
    ...limitProblems(limits),
    ...(capped ? [{ path: [given.backoff_cap === undefined ? "backoff" : "backoff_cap"], message: CAP_SENTENCE }] : []),
  ];
}

const CAP_SENTENCE = "leaves `backoff_cap` below `backoff`";

const templateTable = openTable(templateEntries);

// Apart from the rest of a job, so that a wrong limit does not hide that a placeholder is wrong as well.
const jobTemplates = v.pipe(
  templateTable,
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const problem of jobTemplateProblems(dataset.value)) addIssue(issueAt(problem));
  }),
);

const templates = v.lazy((given) =>
  typeof given === "string" ? v.string() : named(NAME, NAME_SENTENCE, jobTemplates),
);

function jobTemplateProblems(given: v.InferOutput<typeof templateTable>): Problem[] {
  const { command, exit_handler: exitHandler = [], env = {}, params = new Map<string, ParameterDefinition>() } = given;
  return [
    ...under("command", templateProblems(command, params)),
    ...under("exit_handler", templateProblems(exitHandler, params)),
    ...under("env", environmentProblems(env, params)),
  ];
}

const under = (key: string, problems: Problem[]): Problem[] =>
  problems.map(({ path, message }) => ({ path: [key, ...path], message }));

/** A definition but for its name and with its directory as written, since neither is known to the table itself. */
export type NamelessDefinition = Omit<Definition, "name" | "cwd"> & { cwd?: string };

function toDefinition(given: JobTable): NamelessDefinition {
  const { description, cwd, exit_handler: exitHandler } = given;
  return {
    command: given.command,
    parameters: given.params ?? new Map<string, ParameterDefinition>(),
    limits: toLimits(given),
    environment: given.env ?? {},
    passEnvironment: given.pass_env ?? [],
    ...present({ description, route: given.route, cwd, exitHandler }),
  };
}

function toLimits(given: JobTable): Limits {
  const { execution_duration: executionDuration, output } = given;
  const said = {
    timeoutMs: given.timeout,
    graceMs: given.grace,
    maxAttempts: given.max_attempts,
    maxLost: given.max_lost,
    executionDuration: executionDuration === undefined ? undefined : Math.ceil(executionDuration / 1000),
    onLost: given.on_lost,
    onSignal: given.on_signal,
    rejectCodes: given.reject,
    releaseCodes: given.release,
    releaseDelayMs: given.release_delay,
    backoffBaseMs: given.backoff,
    backoffCapMs: given.backoff_cap,
    output,
    outputLimitBytes: given.output_limit,
    timestamps: given.timestamps,
    stopSignal: given.stop_signal,
    finishMs: given.finish_timeout,
    termExitZero: given.term_exit_zero,
    exitHandlerMs: given.exit_handler_timeout,
    keepDescendants: given.keep_descendants,
    isolate: given.isolate,
    outlive: given.outlive,
    resources: given.limits,
  };
  return { ...DEFAULT_LIMITS, ...present(said) };
}

const jobTables = named(NAME, NAME_SENTENCE, job, RESERVED);

/** Tables, or the file of a module that has them. */
const jobs = v.lazy((given) => (typeof given === "string" ? nonEmpty : jobTables));

/** The shape of `reeve.toml`: the only place that knows its keys. */
const configurationTable = table({
  store: optional(table({ path: optional(nonEmpty), durability: optional(oneOf(["full", "normal"])) })),
  worker: optional(
    table({
      concurrency: optional(count(1)),
      recovery_interval: optional(positiveDuration),
      stop_budget: optional(positiveDuration),
      connect_timeout: optional(duration),
      containment: optional(oneOf(CONTAINMENTS)),
      end_outliving: optional(flag),
      route_timeout: optional(positiveDuration),
    }),
  ),
  queues: optional(named(NAME, NAME_SENTENCE, queue)),
  jobs: optional(jobs),
  service: optional(service),
  users: optional(users),
});

/** What a right `reeve.toml` comes to, before the defaults. */
export type ConfigurationTable = v.InferOutput<typeof configurationTable>;

/** What a TOML document comes to, or everything that is wrong with it. `hasMore`: there are definitions elsewhere, too. */
export function checkDocument(
  document: unknown,
  hasMore = false,
): { table: ConfigurationTable } | { problems: Problem[] } {
  const result = v.safeParse(configurationTable, document);
  const ofTemplates = v.safeParse(openTable({ jobs: optional(templates) }), document);
  const issues = [...(result.issues ?? []), ...(ofTemplates.issues ?? [])];
  const problems = distinct([
    ...lostKeyProblems(document),
    ...issues.map(toProblem),
    ...referenceProblems(document, hasMore),
  ]);
  return result.success && problems.length === 0 ? { table: result.output } : { problems };
}

/** Both looks at a document find what is wrong with the keys that they share. */
const distinct = (problems: Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
];

const toProblem = ({ path, message }: v.BaseIssue<unknown>): Problem => ({
  path: path?.map(({ key }) => String(key)) ?? [],
  message,
});
