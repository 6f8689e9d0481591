import { unreachable } from "../errors.ts";
import { argumentProblem } from "./argument-text.ts";
import type { MessagePlace, ParameterDefinition } from "./definition.ts";
import { messageBody, type Body, type MessageBody } from "./message-body.ts";

/** Where the text of a placeholder comes from. */
export type Source = { from: "parameter"; name: string } | MessagePlace;

/** A place in an argv template that is filled in for each job. */
export interface Placeholder {
  source: Source;
  /** As it is written, with its braces. */
  written: string;
  /** Which argument it is in, counted from 0. */
  argument: number;
  /** Whether nothing else is in that argument. */
  whole: boolean;
}

/** The arguments of a command; each is literal texts and placeholders in the order written. */
export type Template = readonly (readonly Piece[])[];

/** One part of an argument. */
export type Piece = string | Placeholder;

// Everything that does not look exactly like a placeholder is literal, so that programs for awk, jq or the shell pass.
const SEGMENT = String.raw`[\p{L}\p{M}\p{N}_$@-]+`;
const MARK = new RegExp(
  String.raw`\{\{|\{(?:param\.(?<parameter>${SEGMENT})|attr\.(?<attribute>[\w.-]+)|body(?<path>(?:\.${SEGMENT})*))\}`,
  "gu",
);

/**
 * Reads an argv template: `{param.x}`, `{body}`, `{body.a.0}` and `{attr.x}` are placeholders, `{{` is a literal `{`,
 * and every other brace is literal as well.
 */
export function compileTemplate(argv: readonly string[]): Template {
  return argv.map(compileArgument);
}

function compileArgument(text: string, argument: number): Piece[] {
  const pieces: Piece[] = [];
  let literal = "";
  let end = 0;
  for (const mark of text.matchAll(MARK)) {
    literal += text.slice(end, mark.index);
    end = mark.index + mark[0].length;
    if (mark[0] === "{{") literal += "{";
    else {
      if (literal !== "") pieces.push(literal);
      literal = "";
      pieces.push({ source: sourceOf(mark.groups), written: mark[0], argument, whole: mark[0].length === text.length });
    }
  }
  literal += text.slice(end);
  return literal === "" && pieces.length > 0 ? pieces : [...pieces, literal];
}

function sourceOf(groups: Record<string, string | undefined> | undefined): Source {
  if (groups?.["parameter"] !== undefined) return { from: "parameter", name: groups["parameter"] };
  if (groups?.["attribute"] !== undefined) return { from: "attribute", name: groups["attribute"] };
  return { from: "body", path: groups?.["path"]?.split(".").slice(1) ?? [] };
}

/** A place in a message as it is written in a placeholder, but without the braces (`body.a.0`); null: it is none. */
export function readPlace(written: string): MessagePlace | null {
  const [[only] = []] = compileTemplate([`{${written}}`]);
  return typeof only === "object" && only.whole && only.source.from !== "parameter" ? only.source : null;
}

/** The place as it is written. */
export const writtenPlace = (place: MessagePlace): string =>
  place.from === "body" ? ["body", ...place.path].join(".") : `attr.${place.name}`;

/** All placeholders of a template, in the order written. */
export function placeholders(template: Template): Placeholder[] {
  return template.flat().filter((piece) => typeof piece !== "string");
}

/** One value of a job's parameter, and what its definition says of it. */
export interface ParameterValue {
  /** A list where the kind is a list. */
  value: string | string[];
  definition: ParameterDefinition;
}

/** What placeholders are filled from. */
export interface TemplateContext {
  parameters: ReadonlyMap<string, ParameterValue>;
  body: Body;
  attributes: Readonly<Record<string, string>>;
}

/** A message that can never become a command. Its sentence names the placeholder and never holds the value. */
export class Rejection extends Error {
  override readonly name = "Rejection";
}

interface Filling {
  value: string | string[];
  origin: string;
  allowLeadingDash: boolean;
}

type Fill = (placeholder: Placeholder) => Filling;

/**
 * The arguments of one job. A list becomes one argument per item, where its placeholder is the whole argument.
 *
 * @throws Rejection if a value is missing, cannot be an argument, or would turn an argument into an option.
 */
export function expandTemplate(template: Template, context: TemplateContext): string[] {
  const body = messageBody(context.body);
  return template.flatMap((pieces) => expandArgument(pieces, (placeholder) => filling(placeholder, context, body)));
}

/**
 * One text for each, of one job, where nothing is an argument: a text may begin with `-`, and the items of a list are
 * lines of it.
 *
 * @throws Rejection if a value is missing, or cannot be handed to a program.
 */
export function expandTexts(template: Template, context: TemplateContext): string[] {
  const body = messageBody(context.body);
  const fill: Fill = (placeholder) => ({ ...filling(placeholder, context, body), allowLeadingDash: true });
  return template.map((pieces) => expandArgument(pieces, fill).join("\n"));
}

function expandArgument(pieces: readonly Piece[], fill: Fill): string[] {
  const [only, another] = pieces;
  if (typeof only === "object" && another === undefined) return expandWhole(only, fill(only));
  const text = pieces.reduce<string>((before, piece) => before + textOf(piece, fill, before), "");
  const problem = argumentProblem(text);
  if (problem !== null) throw new Rejection(`What is made of ${writtenIn(pieces)} ${problem}.`);
  return [text];
}

function expandWhole(placeholder: Placeholder, filled: Filling): string[] {
  return [filled.value].flat().map((text) => checked(placeholder, filled, text, ""));
}

function textOf(piece: Piece, fill: Fill, before: string): string {
  if (typeof piece === "string") return piece;
  const filled = fill(piece);
  if (typeof filled.value === "string") return checked(piece, filled, filled.value, before);
  throw rejection(piece, filled.origin, "is a list, which can only stand as a whole argument");
}

/** `before` is what the argument already holds: texts that turned out empty do not hide a leading dash. */
function checked(placeholder: Placeholder, filled: Filling, text: string, before: string): string {
  const problem = argumentProblem(text);
  if (problem !== null) throw rejection(placeholder, filled.origin, problem);
  if (before === "" && text.startsWith("-") && !filled.allowLeadingDash) {
    throw rejection(placeholder, filled.origin, "begins with `-`, so that it could be taken for an option");
  }
  return text;
}

const writtenIn = (pieces: readonly Piece[]): string =>
  placeholders([pieces])
    .map((placeholder) => placeholder.written)
    .join(" and ") || "literal text";

const rejection = (placeholder: Placeholder, origin: string, problem: string): Rejection =>
  new Rejection(`${placeholder.written}: ${origin} ${problem}.`);

function filling(placeholder: Placeholder, context: TemplateContext, body: MessageBody): Filling {
  const { source } = placeholder;
  switch (source.from) {
    case "parameter":
      return fromParameter(placeholder, source.name, context.parameters);
    case "body":
      return fromBody(placeholder, source.path, body);
    case "attribute":
      return fromAttribute(placeholder, source.name, context.attributes);
    default:
      return unreachable(source);
  }
}

function fromParameter(placeholder: Placeholder, name: string, parameters: TemplateContext["parameters"]): Filling {
  const origin = `the parameter \`${name}\``;
  const found = parameters.get(name) ?? withoutCase(parameters, name);
  if (found === undefined) throw rejection(placeholder, origin, "has no value");
  return { value: found.value, origin, allowLeadingDash: found.definition.allowLeadingDash };
}

/** The entry of a map of parameters, by a name whose case does not count. */
export function withoutCase<T>(entries: ReadonlyMap<string, T>, name: string): T | undefined {
  const wanted = name.toLowerCase();
  for (const [key, value] of entries) if (key.toLowerCase() === wanted) return value;
  return undefined;
}

function fromBody(placeholder: Placeholder, path: string[], body: MessageBody): Filling {
  const origin = path.length === 0 ? "the message body" : `the field \`${path.join(".")}\` of the message body`;
  const found = path.length === 0 ? body.whole() : body.field(path);
  if ("problem" in found) throw rejection(placeholder, origin, found.problem);
  return { value: found.text, origin, allowLeadingDash: false };
}

function fromAttribute(placeholder: Placeholder, name: string, attributes: Readonly<Record<string, string>>): Filling {
  const origin = `the attribute \`${name}\``;
  const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  if (value === undefined) throw rejection(placeholder, origin, "is missing");
  return { value, origin, allowLeadingDash: false };
}
