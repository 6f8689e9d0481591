import { unreachable } from "../errors.ts";
import { argumentProblem } from "./argument-text.ts";
import type { ParameterDefinition, ParameterKind } from "./definition.ts";

/** A value as the job gets it, or why it cannot be one (`must be an integer`). */
export type CheckedText = { text: string } | { problem: string };

const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const TRUE = new Set(["true", "1", "yes", "on"]);
const FALSE = new Set(["false", "0", "no", "off"]);

/** Checks one value, or one item of a list. Numbers keep the digits they were written with. */
export function checkText(definition: ParameterDefinition, given: string): CheckedText {
  const unfit = argumentProblem(given);
  if (unfit !== null) return { problem: unfit };
  const text = normalised(definition.kind, given);
  if (text === null) return { problem: `must be ${kindName(definition.kind)}` };
  const problem = boundProblem(definition, text) ?? choiceProblem(definition, text) ?? textProblem(definition, text);
  return problem === null ? { text } : { problem };
}

function normalised(kind: ParameterKind, given: string): string | null {
  switch (kind) {
    case "string":
    case "strings":
    case "file":
      return given;
    case "integer":
      return digits(INTEGER, given);
    case "number":
      return digits(NUMBER, given);
    case "boolean":
      return truth(given.trim().toLowerCase());
    default:
      return unreachable(kind);
  }
}

function digits(form: RegExp, given: string): string | null {
  const text = given.trim();
  if (!form.test(text)) return null;
  return text.startsWith("+") ? text.slice(1) : text;
}

function truth(word: string): string | null {
  if (TRUE.has(word)) return "true";
  return FALSE.has(word) ? "false" : null;
}

/** What a value of this kind is called in a sentence. */
export function kindName(kind: ParameterKind): string {
  switch (kind) {
    case "string":
      return "a text";
    case "strings":
      return "a list of texts";
    case "file":
      return "a path";
    case "integer":
      return "an integer";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    default:
      return unreachable(kind);
  }
}

/** Whether values of this kind have an order, so that `min` and `max` mean something. */
export const isNumeric = (kind: ParameterKind): boolean => kind === "integer" || kind === "number";

// Integers may have more digits than a number holds; a bigint compares exactly with a number.
const amount = (kind: ParameterKind, text: string): bigint | number =>
  kind === "integer" ? BigInt(text) : Number(text);

function boundProblem({ kind, min, max }: ParameterDefinition, text: string): string | null {
  if (!isNumeric(kind)) return null;
  if (min !== undefined && amount(kind, text) < min) return `must be at least ${min}`;
  if (max !== undefined && amount(kind, text) > max) return `must be at most ${max}`;
  return null;
}

function choiceProblem({ kind, choices }: ParameterDefinition, text: string): string | null {
  if (choices === undefined || choices.some((choice) => isSame(kind, choice, text))) return null;
  return `must be one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`;
}

const isSame = (kind: ParameterKind, choice: string, text: string): boolean =>
  isNumeric(kind) ? amount(kind, choice) === amount(kind, text) : choice === text;

function textProblem({ pattern, maxLength }: ParameterDefinition, text: string): string | null {
  if (maxLength !== undefined && text.length > maxLength && characters(text) > maxLength) {
    return `must have at most ${maxLength} characters`;
  }
  if (pattern !== undefined && !wholeMatch(pattern).test(text)) return `must match the pattern ${pattern}`;
  return null;
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * The regular expression that a whole value is tested with.
 *
 * @throws SyntaxError if the pattern is none.
 */
export const wholeMatch = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, "u");
