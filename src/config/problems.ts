import type { Limits, ParameterDefinition } from "./definition.ts";
import { compileTemplate, type Placeholder, placeholders, withoutCase } from "./template.ts";
import { checkText, isNumeric, kindName, wholeMatch } from "./values.ts";
import { suggestion } from "./wording.ts";

/** Something that cannot be right, and which key of the table it was found at says so. */
export interface Problem {
  path: readonly (string | number)[];
  message: string;
}

type Parameters = ReadonlyMap<string, ParameterDefinition>;

/** What is wrong with an argv template, given the parameters of its definition. Paths are indexes of words. */
export function templateProblems(words: readonly string[], parameters: Parameters): Problem[] {
  const misused = placeholders(compileTemplate(words)).map((placeholder) =>
    problemAt([placeholder.argument], placeholderProblem(placeholder, parameters)),
  );
  const nameless = problemAt([0], words[0] === "" ? "must name a program" : null);
  return [nameless, ...misused].flat();
}

// By these a sender would choose what code is run, whatever the command is.
const LOADING = /^(?:PATH|BASH_ENV|(?:LD|DYLD)_\w+)$/;

/** The same for the variables of a definition. Paths are their names. */
export function environmentProblems(environment: Readonly<Record<string, string>>, parameters: Parameters): Problem[] {
  return Object.entries(environment).flatMap(([name, value]) =>
    placeholders(compileTemplate([value])).flatMap((placeholder) =>
      problemAt(
        [name],
        LOADING.test(name)
          ? `decides what is run, which cannot be chosen by ${placeholder.written}`
          : valueProblem(placeholder, parameters),
      ),
    ),
  );
}

const problemAt = (path: Problem["path"], message: string | null): Problem[] =>
  message === null ? [] : [{ path, message }];

function placeholderProblem(placeholder: Placeholder, parameters: Parameters): string | null {
  // Whoever may send a message would otherwise choose what is run.
  if (placeholder.argument === 0) return `the program cannot be chosen by ${placeholder.written}`;
  return valueProblem(placeholder, parameters);
}

function valueProblem({ source, written, whole }: Placeholder, parameters: Parameters): string | null {
  if (source.from !== "parameter") return null;
  const parameter = withoutCase(parameters, source.name);
  if (parameter === undefined) {
    return `${written} names a parameter that is not declared${suggestion(source.name, parameters.keys())}`;
  }
  if (parameter.kind === "strings" && !whole) return `${written} is a list, which can only stand as a whole argument`;
  if (parameter.required || parameter.default !== undefined) return null;
  return `${written} is optional and has no default; give it \`default\`, or \`required = true\``;
}

/** What contradicts itself in the declaration of one parameter. */
export function parameterProblems(definition: ParameterDefinition): Problem[] {
  const early = [...misplacedKeys(definition), ...patternProblems(definition), ...requirementProblems(definition)];
  // A value cannot be checked against a pattern that is none.
  return early.length > 0 ? early : [...choiceProblems(definition), ...defaultProblems(definition)];
}

function misplacedKeys(definition: ParameterDefinition): Problem[] {
  const { kind, min, max } = definition;
  const numeric = isNumeric(kind);
  const textual = kind === "string" || kind === "strings";
  return [
    ...misplaced("min", min !== undefined && !numeric, kind),
    ...misplaced("max", max !== undefined && !numeric, kind),
    ...misplaced("pattern", definition.pattern !== undefined && !textual, kind),
    ...misplaced("max_length", definition.maxLength !== undefined && !textual, kind),
    // Whoever may send a message would otherwise have any file read.
    ...misplaced("from", definition.from !== undefined && kind === "file", kind),
    ...misplaced("choices", definition.choices !== undefined && !numeric && !textual, kind),
    ...problemAt(["min"], min !== undefined && max !== undefined && min > max ? `is above \`max\`, ${max}` : null),
  ];
}

const misplaced = (key: string, isSo: boolean, kind: string): Problem[] =>
  problemAt([key], isSo ? `means nothing for the type \`${kind}\`` : null);

function patternProblems({ pattern }: ParameterDefinition): Problem[] {
  try {
    if (pattern !== undefined) wholeMatch(pattern);
    return [];
  } catch {
    return [{ path: ["pattern"], message: "is not a regular expression" }];
  }
}

function requirementProblems(definition: ParameterDefinition): Problem[] {
  const both = definition.required && definition.default !== undefined;
  return problemAt(["required"], both ? "leaves no use for `default`; keep one of them" : null);
}

function choiceProblems(definition: ParameterDefinition): Problem[] {
  const { choices, ...free } = definition;
  return (choices ?? []).flatMap((choice, index) => valueProblems(["choices", index], free, choice));
}

function defaultProblems(definition: ParameterDefinition): Problem[] {
  const values = [definition.default ?? []].flat();
  return values.flatMap((value) => valueProblems(["default"], definition, value));
}

function valueProblems(path: Problem["path"], definition: ParameterDefinition, value: string): Problem[] {
  const checked = checkText(definition, value);
  return problemAt(path, "problem" in checked ? checked.problem : null);
}

/** A value as TOML gives it. */
export type PlainValue = string | number | bigint | boolean | readonly string[];

/** A default as the job would get it, or why it is of another type than its parameter. */
export function defaultText(definition: ParameterDefinition, value: PlainValue): string | string[] | Problem {
  if (isOfKind(definition, value)) return typeof value === "object" ? [...value] : String(value);
  return { path: ["default"], message: `must be ${kindName(definition.kind)}` };
}

function isOfKind({ kind }: ParameterDefinition, value: PlainValue): boolean {
  if (kind === "strings") return typeof value === "object";
  if (isNumeric(kind)) return typeof value === "number" || typeof value === "bigint";
  return typeof value === (kind === "boolean" ? "boolean" : "string");
}

/** Exit codes that would both put a job back and bury it. */
export function exitCodeProblems(reject: readonly number[], release: readonly number[]): Problem[] {
  const both = release.filter((code) => reject.includes(code));
  return both.map((code) => ({ path: ["release"], message: `${code} is in \`reject\` as well; keep it in one` }));
}

/** Limits that make no sense together. The path is the key of the one that is too much. */
export function limitProblems({ keepDescendants, maxAttempts, isolate }: Limits): Problem[] {
  if (!keepDescendants) return [];
  return [
    ...problemAt(["keep_descendants"], maxAttempts !== null && maxAttempts > 1 ? BESIDE_THE_NEXT : null),
    ...problemAt(["keep_descendants"], isolate === "pid" ? ENDS_WITH_ITS_INIT : null),
  ];
}

const BESIDE_THE_NEXT = "goes with one attempt only: what one left running would run beside the next";
const ENDS_WITH_ITS_INIT = "means nothing in a pid namespace, which ends as a whole with the main process";
