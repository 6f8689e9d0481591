import type { Definition } from "../config/definition.ts";
import { functionEnvironment } from "../config/function-inputs.ts";
import type { Body } from "../config/message-body.ts";
import { checkParameters, type GivenParameter, type Manner } from "../config/parameters.ts";
import { compileTemplate, expandTemplate, Rejection, type ParameterValue } from "../config/template.ts";
import { usageError } from "../errors.ts";
import type { Parameter } from "../store/job.ts";
import type { NewJob } from "../store/submission.ts";

/** What is given for a job of a definition. */
export interface GivenJob {
  readonly parameters: readonly GivenParameter[];
  readonly body: Body;
  /** Seconds; null: as the definition has it. */
  readonly executionDuration: number | null;
  /** Who reads the errors. */
  readonly manner?: Manner;
}

/** The part of a job that its definition has a say in. */
export type DefinitionPart = Pick<
  NewJob,
  "definition" | "command" | "parameters" | "context" | "executionDuration" | "body"
>;

/**
 * A job of a definition, as it is to be recorded.
 *
 * @throws ReeveError (usage) for whatever no worker could run
 */
export function definitionPart(definition: Definition, given: GivenJob): DefinitionPart {
  const values = checkParameters(definition, given.parameters, given.manner);
  refuseUnfit(definition, values, given.body);
  if (given.manner === "over a wire") refuseTooMuch(definition, values, given.body);
  return {
    definition: definition.name,
    command: null,
    parameters: parametersOf(values),
    context: { kind: "definition" },
    executionDuration: given.executionDuration ?? definition.limits.executionDuration,
    body: given.body,
  };
}

/**
 * What no worker could run is refused here, where somebody reads it.
 *
 * @throws ReeveError (usage)
 */
export function refuseUnfit(
  { command, exitHandler = [], function: isFunction }: Pick<Definition, "command" | "exitHandler" | "function">,
  parameters: ReadonlyMap<string, ParameterValue>,
  body: Body,
): void {
  try {
    if (isFunction) functionEnvironment(parameters, {});
    for (const words of [command, exitHandler]) {
      expandTemplate(compileTemplate(words), { parameters, body, attributes: {} });
    }
  } catch (error) {
    if (error instanceof Rejection) throw usageError(error.message);
    throw error;
  }
}

/** Of what Linux lets a program have of arguments and environment, execve(2), the rest is for other variables. */
const MOST_BYTES = 2 * 1024 ** 2 - 128 * 1024;

/**
 * What a worker with the usual limits could not start. Here its operator knows better what it can.
 *
 * @throws ReeveError (usage)
 */
function refuseTooMuch(
  { command }: Pick<Definition, "command">,
  parameters: ReadonlyMap<string, ParameterValue>,
  body: Body,
): void {
  const argv = expandTemplate(compileTemplate(command), { parameters, body, attributes: {} });
  const variables = [...parameters.values()].flatMap(({ value }) => value);
  const bytes = [...argv, ...variables].reduce((sum, text) => sum + Buffer.byteLength(text) + POINTER_BYTES, 0);
  if (bytes <= MOST_BYTES) return;
  throw usageError("The parameters are too long, all together, for a program; large data goes by file.");
}

/** Of each text, with its NUL. */
const POINTER_BYTES = 9;

function parametersOf(values: ReadonlyMap<string, ParameterValue>): Parameter[] {
  return [...values].map(([name, { value, definition }]) => ({
    name,
    values: [value].flat(),
    file: definition.kind === "file",
    secret: definition.secret,
  }));
}
