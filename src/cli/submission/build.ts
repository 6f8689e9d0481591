import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { argumentProblem } from "../../config/argument-text.ts";
import { DEFAULT_LIMITS, type Definition, type Limits } from "../../config/definition.ts";
import { inlineBody } from "../../config/message-body.ts";
import { limitProblems } from "../../config/problems.ts";
import { shown, suggestion } from "../../config/wording.ts";
import { codeOf, messageOf, usageError } from "../../errors.ts";
import { foregroundEnvironment, submittedEnvironment, type Environment } from "../../process/environment.ts";
import type { Context } from "../../store/job.ts";
import type { NewJob } from "../../store/submission.ts";
import { definitionPart, type DefinitionPart } from "../../uws/definition-job.ts";
import { nameOfLimit } from "./limits.ts";
import { refuseMessageOptions } from "./meaningless.ts";
import type { JobRequest } from "./request.ts";

/** What is around those who ask. */
export interface Surroundings {
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly environment: Environment;
  readonly cwd: string;
  readonly now: number;
  readonly newId: () => string;
  /** The id of the job that `--after` names. */
  readonly idOf: (text: string) => string;
}

/**
 * The job that is to be recorded.
 *
 * @throws ReeveError (usage) for whatever cannot be run as it is asked for.
 */
export function newJob(request: JobRequest, around: Surroundings): NewJob {
  if (request.dedupe === "") throw usageError("the dedupe key is empty");
  refuseMessageOptions(request);
  const { now } = around;
  return {
    ...(request.job === null ? commandPart(request, around) : namedPart(request, request.job, around)),
    id: around.newId(),
    runId: request.runId,
    owner: null,
    priority: request.priority ?? 0,
    availableAt: request.delayMs ? now + request.delayMs : null,
    expiresAt: request.expiresMs === null ? null : now + request.expiresMs,
    destruction: null,
    hold: request.hold,
    after: [...new Set(request.after.map(around.idOf))],
    dedupeKey: request.dedupe,
    retryOf: null,
    attributes: {},
  };
}

function commandPart(request: JobRequest, around: Surroundings): DefinitionPart {
  const command = checkedCommand(request.command);
  const [stray] = [...request.parameters, ...request.files];
  if (stray) {
    throw usageError(`the parameter ${shown(stray.name)} is given to a plain command, which has none`, DEFINITION_HINT);
  }
  const limits = limitsOf(request);
  const context = commandContext(request, limits, around);
  const { executionDuration } = limits;
  const body = inlineBody(bodyOf(request, around.cwd));
  return { definition: null, command, parameters: [], context, executionDuration, body };
}

const DEFINITION_HINT = "parameters belong to the definitions of reeve.toml: `reeve submit DEFINITION --param k=v`";

function checkedCommand(command: readonly string[] | null): readonly string[] {
  if (command === null || command.length === 0) {
    throw usageError("nothing to submit", "name a definition, or put a command after `--`: reeve submit -- sleep 10");
  }
  return checkedArgv(command, "command");
}

function checkedArgv(words: readonly string[], what: string): readonly string[] {
  if (words[0] === undefined || words[0] === "") throw usageError(`the ${what}'s program is an empty text`);
  for (const [index, word] of words.entries()) {
    const problem = argumentProblem(word);
    if (problem !== null) throw usageError(`argument ${index} of the ${what} ${problem}`, LARGE_HINT);
  }
  return words;
}

const LARGE_HINT = "large or binary data goes to the job's stdin (--body-file), or is a file that the command reads";

function limitsOf(request: JobRequest): Limits {
  const executionDuration = seconds(request.executionDurationMs) ?? DEFAULT_LIMITS.executionDuration;
  const limits = { ...DEFAULT_LIMITS, ...(request.foreground && NEVER_AGAIN), ...request.limits, executionDuration };
  const [problem] = limitProblems(limits);
  if (problem) throw usageError(`\`${problem.path.join(".").replaceAll("_", "-")}\` ${problem.message}`);
  return limits;
}

/** A job in the foreground is not put back, also where an earlier version of this program has to judge it. */
export const NEVER_AGAIN = { onLost: "fail", onSignal: "fail" } as const satisfies Partial<Limits>;

/** UWS counts whole seconds, and 0 would be no limit. */
const seconds = (milliseconds: number | null): number | null =>
  milliseconds === null ? null : Math.ceil(milliseconds / 1000);

function commandContext(request: JobRequest, limits: Limits, around: Surroundings): Context {
  const asked = { ...request.environment, ...request.secretEnvironment };
  for (const [name, value] of Object.entries(asked)) checkVariable(name, value);
  const environmentOf = request.foreground ? foregroundEnvironment : submittedEnvironment;
  return {
    kind: "command",
    cwd: directoryOf(request.cwd, around.cwd),
    environment: environmentOf(around.environment, asked),
    secrets: Object.keys(request.secretEnvironment),
    limits,
    ...(request.foreground && { foreground: request.foreground }),
    ...(request.exitHandler && { exitHandler: checkedArgv(request.exitHandler, "exit handler") }),
  };
}

function checkVariable(name: string, value: string): void {
  if (name === "" || /[=\0]/.test(name)) throw usageError(`${shown(name)} cannot be the name of a variable`);
  const problem = argumentProblem(value);
  if (problem !== null) throw usageError(`the variable ${name} ${problem}`);
}

function directoryOf(asked: string | null, here: string): string {
  const directory = resolve(here, asked ?? ".");
  if (asked === null || statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw usageError(`the directory ${directory} is not there`, "--cwd says where the command runs");
}

function namedPart(request: JobRequest, name: string, around: Surroundings): DefinitionPart {
  if (request.command !== null) {
    throw usageError(`both the definition ${shown(name)} and a command are given`, "a job is one or the other");
  }
  const definition = around.definitions.get(name) ?? refuseUnknown(name, [...around.definitions.keys()]);
  refuseOverrides(request, name);
  const files = request.files.map((one) => ({ ...one, file: existingFile(one.name, one.file ?? "", around.cwd) }));
  return definitionPart(definition, {
    parameters: [...request.parameters, ...files],
    body: inlineBody(bodyOf(request, around.cwd)),
    executionDuration: seconds(request.executionDurationMs),
  });
}

function refuseUnknown(name: string, known: readonly string[]): never {
  const there =
    known.length === 0
      ? "there are none here (--jobs FILE names a module that has some)"
      : `there are ${known.join(", ")}`;
  const hint = `${there}; a command stands after \`--\`: reeve submit -- COMMAND`;
  throw usageError(`no definition ${shown(name)}${suggestion(name, known)}`, hint);
}

/** The worker takes these from its own configuration. */
function refuseOverrides(request: JobRequest, name: string): void {
  const given: Record<string, boolean> = {
    env: Object.keys(request.environment).length > 0,
    "secret-env": Object.keys(request.secretEnvironment).length > 0,
    cwd: request.cwd !== null,
    "exit-handler": request.exitHandler !== null,
  };
  const first = Object.keys(given).find((option) => given[option]) ?? nameOfLimit(request.limits);
  if (first === undefined) return;
  throw usageError(`\`${first}\` is for plain commands; the definition ${name} has its own`, "set it in reeve.toml");
}

function existingFile(name: string, path: string, cwd: string): string {
  const absolute = resolve(cwd, path);
  if (statSync(absolute, { throwIfNoEntry: false })) return absolute;
  throw usageError(`the file ${absolute} for the parameter ${shown(name)} is not there`);
}

/** The bytes that are given, by themselves or by a file. @throws ReeveError (usage) for both, or a file that is not there. */
export function bodyOf({ body, bodyFile }: Pick<JobRequest, "body" | "bodyFile">, cwd: string): Uint8Array | null {
  if (bodyFile === null) return body;
  if (body !== null) throw usageError("the body is given twice, as a text and as a file", "give one of them");
  const path = resolve(cwd, bodyFile);
  try {
    return readFileSync(path);
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "is not there" : `cannot be read: ${messageOf(error)}`;
    throw usageError(`the body's file ${path} ${why}`);
  }
}
