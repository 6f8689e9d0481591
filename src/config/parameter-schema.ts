import * as v from "valibot";
import { PARAMETER_KINDS, type ParameterDefinition } from "./definition.ts";
import { place } from "./message-schema.ts";
import { defaultText, parameterProblems, type Problem } from "./problems.ts";
import {
  anyNumber,
  count,
  flag,
  issueAt,
  named,
  NAME,
  NAME_SENTENCE,
  oneOf,
  optional,
  present,
  someOf,
  table,
  text,
} from "./schema-parts.ts";

const plainValue = v.union(
  [v.string(), v.number(), v.bigint(), v.boolean(), v.array(v.string())],
  "must be a text, a number, true, false or a list of texts",
);

const parameterTable = table({
  type: optional(oneOf(PARAMETER_KINDS)),
  required: optional(flag),
  from: optional(place),
  default: optional(plainValue),
  min: optional(anyNumber),
  max: optional(anyNumber),
  choices: optional(someOf(v.union([v.string(), v.number()], "must be a text or a number"), "must be a list")),
  pattern: optional(text()),
  max_length: optional(count(0)),
  secret: optional(flag),
  allow_leading_dash: optional(flag),
  description: optional(text()),
});

type ParameterTable = v.InferOutput<typeof parameterTable>;

const parameter = v.pipe(
  parameterTable,
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const problem of toParameter(dataset.value).problems) addIssue(issueAt(problem));
  }),
  v.transform((given) => toParameter(given).definition),
);

function toParameter(given: ParameterTable): { definition: ParameterDefinition; problems: Problem[] } {
  const definition = withoutDefault(given);
  const value = given.default === undefined ? undefined : defaultText(definition, given.default);
  if (value === undefined) return { definition, problems: parameterProblems(definition) };
  if (typeof value === "object" && "message" in value) return { definition, problems: [value] };
  const complete = { ...definition, default: value };
  return { definition: complete, problems: parameterProblems(complete) };
}

function withoutDefault(given: ParameterTable): ParameterDefinition {
  const { from, min, max, choices, pattern, max_length: maxLength, description } = given;
  return {
    kind: given.type ?? "string",
    required: given.required ?? false,
    secret: given.secret ?? false,
    allowLeadingDash: given.allow_leading_dash ?? false,
    ...present({ from, min, max, choices: choices?.map(String), pattern, maxLength, description }),
  };
}

/** The `params` of a definition, by their declared names. */
export const parameters = v.pipe(
  named(NAME, NAME_SENTENCE, parameter),
  v.rawCheck(({ dataset, addIssue }) => {
    const names = dataset.typed ? Object.keys(dataset.value) : [];
    for (const name of doubles(names))
      addIssue(issueAt({ path: [name], message: "differs from another only by case" }));
  }),
  v.transform((entries) => new Map(Object.entries(entries))),
);

const doubles = (names: string[]): string[] =>
  names.filter((name, index) => names.slice(0, index).some((other) => other.toLowerCase() === name.toLowerCase()));
