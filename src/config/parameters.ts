import { usageError } from "../errors.ts";
import { argumentProblem } from "./argument-text.ts";
import type { Definition, ParameterDefinition } from "./definition.ts";
import type { ParameterValue } from "./template.ts";
import { checkText } from "./values.ts";
import { shown, suggestion } from "./wording.ts";

/** One parameter as it was given: by its value, or by the path of a file. */
export interface GivenParameter {
  name: string;
  value: string;
  file?: string;
}

/** Who reads the sentences of errors: what came over a wire is not quoted. */
export type Manner = "here" | "over a wire";

type Outcome = { value: string | string[] } | { problems: string[] } | "absent";

/**
 * The values that a job of this definition gets, by the declared spelling of their names. Names are compared without
 * case, an empty value is the default; a parameter that has neither a value nor a default is not in the result.
 *
 * @throws ReeveError (usage) that names everything that is wrong; the value of a secret is never in it
 */
export function checkParameters(
  definition: Definition,
  given: readonly GivenParameter[],
  manner: Manner = "here",
): Map<string, ParameterValue> {
  const values = new Map<string, ParameterValue>();
  const problems = undeclared(definition, given, manner);
  for (const [name, parameter] of definition.parameters) {
    const outcome = outcomeOf(name, parameter, given.filter(isFor(name)), manner);
    if (outcome === "absent") continue;
    if ("problems" in outcome) problems.push(...outcome.problems);
    else values.set(name, { value: outcome.value, definition: parameter });
  }
  if (problems.length > 0) throw usageError(problems.slice(0, MOST_PROBLEMS).join(" ") + moreThan(problems.length));
  return values;
}

// A message may name thousands of parameters, and what is wrong with it has to fit into its dead letter.
const MOST_PROBLEMS = 10;

const moreThan = (count: number): string => (count > MOST_PROBLEMS ? ` And ${count - MOST_PROBLEMS} more.` : "");

const isFor = (name: string) => {
  const wanted = name.toLowerCase();
  return (one: GivenParameter): boolean => one.name.toLowerCase() === wanted && (one.file ?? one.value) !== "";
};

function undeclared(definition: Definition, given: readonly GivenParameter[], manner: Manner): string[] {
  const declared = [...definition.parameters.keys()];
  const known = new Set(declared.map((name) => name.toLowerCase()));
  const strangers = new Set(given.map((one) => one.name).filter((name) => !known.has(name.toLowerCase())));
  if (manner === "over a wire") return strangers.size === 0 ? [] : [strangerSentence(definition.name, declared)];
  return [...strangers].map((name, index) => (index < MOST_PROBLEMS ? sentence(definition.name, name, declared) : ""));
}

function sentence(job: string, name: string, declared: string[]): string {
  return `The job ${job} has no parameter ${shown(name)}${suggestion(name, declared) || "."}`;
}

function strangerSentence(job: string, declared: string[]): string {
  const known = declared.length === 0 ? "it takes none" : `it takes ${declared.join(", ")}`;
  return `The job ${job} does not take one of the parameters that were given: ${known}.`;
}

function outcomeOf(name: string, definition: ParameterDefinition, given: GivenParameter[], manner: Manner): Outcome {
  if (given.length === 0) return withoutValue(name, definition);
  const misplaced = given.some((one) => (one.file !== undefined) !== (definition.kind === "file"));
  if (misplaced) return { problems: [wayProblem(name, definition, manner)] };
  const checked = given.map((one) => checkOne(name, definition, one.file ?? one.value, manner));
  const problems = checked.flatMap((one) => ("problem" in one ? [one.problem] : []));
  if (problems.length > 0) return { problems };
  return oneOrList(
    name,
    definition,
    checked.flatMap((one) => ("text" in one ? [one.text] : [])),
  );
}

function oneOrList(name: string, definition: ParameterDefinition, texts: string[]): Outcome {
  // A job has it as a variable, too, and the name of that counts.
  const unfit = argumentProblem(`REEVE_PARAM_${name}=${texts.join("\n")}`);
  if (unfit !== null) return { problems: [`The parameter \`${name}\`, as a variable of the environment, ${unfit}.`] };
  if (definition.kind === "strings") return { value: texts };
  const [text, another] = texts;
  if (text === undefined) return "absent";
  if (another === undefined) return { value: text };
  return { problems: [`The parameter \`${name}\` is given ${texts.length} times, but it is not a list.`] };
}

function withoutValue(name: string, definition: ParameterDefinition): Outcome {
  if (definition.default !== undefined) return { value: definition.default };
  return definition.required ? { problems: [`The parameter \`${name}\` is required.`] } : "absent";
}

function wayProblem(name: string, definition: ParameterDefinition, manner: Manner): string {
  const way = manner === "here" ? "given by its path" : "uploaded";
  if (definition.kind === "file") return `The parameter \`${name}\` is a file and must be ${way}.`;
  return `The parameter \`${name}\` is not a file and must be given by its value.`;
}

function checkOne(
  name: string,
  definition: ParameterDefinition,
  given: string,
  manner: Manner,
): { text: string } | { problem: string } {
  const checked = checkText(definition, given);
  if ("text" in checked) return checked;
  const value = definition.secret || manner === "over a wire" ? "" : ` (given: ${shown(given)})`;
  return { problem: `The parameter \`${name}\` ${checked.problem}${value}.` };
}
