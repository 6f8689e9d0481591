import type { Definition } from "../config/definition.ts";
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
  { command, exitHandler = [] }: Pick<Definition, "command" | "exitHandler">,
  parameters: ReadonlyMap<string, ParameterValue>,
  body: Body,
): void {
  try {
    for (const words of [command, exitHandler]) {
      expandTemplate(compileTemplate(words), { parameters, body, attributes: {} });
    }
  } catch (error) {
    if (error instanceof Rejection) throw usageError(error.message);
    throw error;
  }
}

function parametersOf(values: ReadonlyMap<string, ParameterValue>): Parameter[] {
  return [...values].map(([name, { value, definition }]) => ({
    name,
    values: [value].flat(),
    file: definition.kind === "file",
    secret: definition.secret,
  }));
}
