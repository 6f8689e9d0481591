import { argumentProblem } from "./argument-text.ts";
import {
  compileTemplate,
  expandTexts,
  placeholders,
  Rejection,
  type Template,
  type TemplateContext,
} from "./template.ts";

/** The variables that a definition adds, with placeholders in their values as in an argv. */
export interface EnvironmentTemplate {
  readonly names: readonly string[];
  readonly values: Template;
  /** Whether no value has a placeholder, so that all jobs get the same. */
  readonly isFixed: boolean;
}

export function compileEnvironment(environment: Readonly<Record<string, string>>): EnvironmentTemplate {
  const values = compileTemplate(Object.values(environment));
  return { names: Object.keys(environment), values, isFixed: placeholders(values).length === 0 };
}

const NOTHING: TemplateContext = { parameters: new Map(), body: null, attributes: {} };

/**
 * The variables of one job; those of a fixed template need nothing of it.
 *
 * @throws Rejection if a value is missing, or cannot be that of a variable.
 */
export function expandEnvironment(
  { names, values }: EnvironmentTemplate,
  context: TemplateContext = NOTHING,
): Record<string, string> {
  const texts = expandTexts(values, context);
  return Object.fromEntries(names.map((name, index) => [name, checked(name, texts[index] ?? "")]));
}

/** Name and value are one string to execve(2), of the same length at most as an argument. */
function checked(name: string, value: string): string {
  const problem = argumentProblem(`${name}=${value}`);
  if (problem !== null) throw new Rejection(`The variable ${name} ${problem}.`);
  return value;
}
