import { argumentProblem } from "./argument-text.ts";
import type { ParameterKind } from "./definition.ts";
import { FUNCTION_VARIABLE, type FunctionInputs, type FunctionValue } from "./function-variable.ts";
import { Rejection, type ParameterValue } from "./template.ts";
import { unreachable } from "../errors.ts";

/**
 * The variable for one job.
 *
 * @throws Rejection for an integer that no number holds, and where all together is too long for a variable.
 */
export function functionEnvironment(
  parameters: ReadonlyMap<string, ParameterValue>,
  attributes: Readonly<Record<string, string>>,
): Record<string, string> {
  const params = Object.fromEntries([...parameters].map(([name, given]) => [name, typedValue(name, given)]));
  const text = JSON.stringify({ params, attributes } satisfies FunctionInputs);
  const problem = argumentProblem(`${FUNCTION_VARIABLE}=${text}`);
  if (problem === null) return { [FUNCTION_VARIABLE]: text };
  throw new Rejection(`What the parameters and attributes come to together ${problem}; large data goes in the body.`);
}

function typedValue(name: string, { value, definition }: ParameterValue): FunctionValue {
  return typeof value === "string" ? ofKind(name, definition.kind, value) : value;
}

function ofKind(name: string, kind: ParameterKind, text: string): FunctionValue {
  switch (kind) {
    case "string":
    case "strings":
    case "file":
      return text;
    case "boolean":
      return text === "true";
    case "number":
      return Number(text);
    case "integer":
      return wholeNumber(name, Number(text));
    default:
      return unreachable(kind);
  }
}

function wholeNumber(name: string, number: number): number {
  if (Number.isSafeInteger(number)) return number;
  throw new Rejection(`The parameter \`${name}\` is a larger integer than a function can count with.`);
}
