import { accessSync, constants, type Stats, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { type Configuration, DEFAULT_LIMITS, type Definition, type Limits } from "./definition.ts";
import { leaseProblem } from "./lease.ts";
import { CONTROL_NAMES } from "./names.ts";
import type { SqsQueueDefinition } from "./queue-definition.ts";
import { compileTemplate, placeholders, withoutCase } from "./template.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Check = (definition: Definition, environment: Environment) => string | false;

const CHECKS: readonly Check[] = [
  workingDirectory,
  program,
  cleaningProgram,
  handlerWithoutUse,
  refusableByEveryMessage,
  lookalike,
  leadingMinus,
  noTime,
  ownVariables,
  namedAsControls,
];

/** What of a job's limits this machine cannot enforce: a sentence each. */
export type Unenforceable = (limits: Limits) => readonly string[];

/**
 * What is allowed in a configuration but is most likely not meant: one sentence each, with the definition's name.
 * Programs are looked for in the `PATH` of `environment`.
 */
export function checkConfiguration(
  configuration: Configuration,
  environment: Environment = process.env,
  unenforceable: Unenforceable = () => [],
): string[] {
  const ofJobs = [...configuration.definitions.values()].flatMap((definition) => {
    const warnings = CHECKS.map((check) => check(definition, environment)).filter((warning) => warning !== false);
    return [...warnings, ...unenforceable(definition.limits)].map((warning) => `jobs.${definition.name}: ${warning}`);
  });
  return [...ofJobs, ...leaseWarnings(configuration)];
}

/** What `work` would refuse to begin with. */
function leaseWarnings({ queues, definitions }: Configuration): string[] {
  return [...queues].flatMap(([name, queue]) => (queue.type === "sqs" ? queueWarnings(name, queue, definitions) : []));
}

function queueWarnings(name: string, queue: SqsQueueDefinition, definitions: Configuration["definitions"]): string[] {
  return [...definitions.values()].flatMap((definition) => {
    const problem = leaseProblem({ ...queue, graceMs: definition.limits.graceMs });
    return problem === null ? [] : [`queues.${name}, for jobs.${definition.name}: ${problem}`];
  });
}

function workingDirectory({ cwd }: Definition): string | false {
  return !statusOf(cwd)?.isDirectory() && `The directory ${cwd} is not there.`;
}

function program(definition: Definition, environment: Environment): string | false {
  return programProblem(definition.command[0] ?? "", definition, environment);
}

function cleaningProgram(definition: Definition, environment: Environment): string | false {
  const name = definition.exitHandler?.[0];
  return name !== undefined && programProblem(name, definition, environment);
}

function handlerWithoutUse({ exitHandler, limits }: Definition): string | false {
  if (exitHandler !== undefined || limits.exitHandlerMs === DEFAULT_LIMITS.exitHandlerMs) return false;
  return "`exit_handler_timeout` means nothing without an `exit_handler`.";
}

function programProblem(name: string, definition: Definition, environment: Environment): string | false {
  const places = placesOf(name, definition, environment);
  if (places.some(isExecutable)) return false;
  if (!name.includes("/")) return `The program ${name} is not in PATH.`;
  return isFile(places[0]) ? `The program ${places[0]} is not executable.` : `The program ${places[0]} is not there.`;
}

function placesOf(name: string, { cwd, environment }: Definition, outer: Environment): string[] {
  if (name.includes("/")) return [resolve(cwd, name)];
  const path = environment["PATH"] ?? outer["PATH"] ?? "/usr/bin:/bin";
  return path.split(delimiter).map((directory) => resolve(cwd, directory, name));
}

const isFile = (path: string | undefined): boolean => path !== undefined && (statusOf(path)?.isFile() ?? false);

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function isExecutable(path: string): boolean {
  if (!isFile(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function namedAsControls({ parameters }: Definition): string | false {
  const names = [...parameters.keys()].filter((name) => CONTROL_NAMES.has(name.toLowerCase()));
  if (names.length === 0) return false;
  return `UWS takes ${names.map((name) => `\`${name}\``).join(", ")} for itself: no client of \`reeve serve\` can give it as a parameter.`;
}

function refusableByEveryMessage({ command, environment }: Definition): string | false {
  const used = placeholders(compileTemplate([...command, ...Object.values(environment)]));
  if (used.length === 0 || used.some(({ source }) => source.from === "parameter")) return false;
  return `It names no parameter of its own, only ${used[0]?.written}: it rejects every message without that.`;
}

const LOOKALIKE = /\{(?:params?|parameters?|body|attr|attributes?)[.}][^{}\s]*\}?/i;

function lookalike({ command, exitHandler = [], environment }: Definition): string | false {
  const literals = compileTemplate([...command, ...exitHandler, ...Object.values(environment)]).flat();
  const found = literals.find((piece): piece is string => typeof piece === "string" && LOOKALIKE.test(piece));
  if (found === undefined) return false;
  return `${LOOKALIKE.exec(found)?.[0]} looks like a placeholder but is none, so the program gets it as it is written.`;
}

function leadingMinus({ command, exitHandler = [], parameters }: Definition): string | false {
  const leading = compileTemplate([...command, ...exitHandler]).map(([first]) => first);
  const negative = leading.find((piece) => {
    if (typeof piece !== "object" || piece.source.from !== "parameter") return false;
    const parameter = withoutCase(parameters, piece.source.name);
    return parameter?.min !== undefined && parameter.min < 0 && !parameter.allowLeadingDash;
  });
  if (typeof negative !== "object") return false;
  return `${negative.written} may be negative, but no value that begins with \`-\` is passed without \`allow_leading_dash\`.`;
}

function noTime({ limits }: Definition): string | false {
  return limits.timeoutMs === 0 && "`timeout` is 0, which leaves no time at all; leave it out for no limit.";
}

function ownVariables({ environment, passEnvironment }: Definition): string | false {
  const own = [...Object.keys(environment), ...passEnvironment].find((name) => name.startsWith("REEVE_"));
  return own !== undefined && `The variable ${own} may be overwritten: names that begin with REEVE_ are Reeve's own.`;
}
