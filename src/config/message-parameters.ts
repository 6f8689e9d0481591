import type { Definition, MessagePlace } from "./definition.ts";
import type { Found, FoundItems, MessageBody } from "./message-body.ts";
import type { RoutedJob } from "./message-route.ts";
import type { GivenParameter } from "./parameters.ts";
import { writtenPlace } from "./template.ts";
import { shown } from "./wording.ts";

/** A message that is known to be for one definition. */
export interface OwnMessage {
  readonly body: MessageBody;
  readonly attributes: Readonly<Record<string, string>>;
  /** It names its job and parameters itself: `{"job": …, "params": …}`. */
  readonly byName: boolean;
  /** What a module's `route` has said of it. */
  readonly routed?: RoutedJob;
}

/** All that one source gives for one parameter. */
interface Gift {
  readonly name: string;
  /** How it is called in a sentence: `params.image of the message`. */
  readonly source: string;
  readonly given: readonly GivenParameter[];
}

type Gifts = { readonly gifts: readonly Gift[] } | { readonly reason: string };

/**
 * What is given for the parameters of a definition: by the message's `params`, by a module's `route`, by the places that
 * `from` names, and by the command line. Two of them for one parameter are refused: neither is known to be the right one.
 */
export function messageParameters(
  definition: Definition,
  message: OwnMessage,
  extra: readonly GivenParameter[],
): { readonly parameters: readonly GivenParameter[] } | { readonly reason: string } {
  const named = message.byName ? giftsByName(message.body) : { gifts: [] };
  if ("reason" in named) return named;
  const routed = message.routed ? giftsByRoute(definition, message.routed) : { gifts: [] };
  if ("reason" in routed) return routed;
  const found = giftsByPlace(definition, message);
  if ("reason" in found) return found;
  const all = [...named.gifts, ...routed.gifts, ...found.gifts, ...giftsOfCommandLine(definition, extra)];
  const reason = doubleSource(all);
  return reason === null ? { parameters: all.flatMap(({ given }) => given) } : { reason };
}

function giftsByName(body: MessageBody): Gifts {
  const found = body.members(["params"]);
  if ("problem" in found) {
    return found.absent ? { gifts: [] } : { reason: `\`params\` of the message ${found.problem}.` };
  }
  const gifts: Gift[] = [];
  for (const [name, texts] of found.members) {
    if (texts === null) return { reason: `${sourceByName(name)} ${NOT_PLAIN}.` };
    gifts.push(gift(name, sourceByName(name), texts));
  }
  return { gifts };
}

const NOT_PLAIN = "must be a text, a number, true, false or a list of these";
const sourceByName = (name: string): string => `\`params\` ${shown(name)} of the message`;

function gift(name: string, source: string, texts: readonly string[]): Gift {
  return { name, source, given: texts.map((value) => ({ name, value })) };
}

/** Arguments are those of the parameters in the order in which these are declared. */
function giftsByRoute({ name: job, parameters }: Definition, { source, args, params }: RoutedJob): Gifts {
  const names = [...parameters.keys()];
  if (args.length > names.length) {
    return { reason: `${source} gives ${args.length} \`args\`, and the job ${job} has ${names.length} parameters.` };
  }
  const gifts: Gift[] = [];
  const all = [
    ...args.map((value, index) => ({ name: names[index] ?? "", value, from: `\`args\` of ${source}` })),
    ...params.map(([name, value]) => ({ name, value, from: `\`params\` of ${source}` })),
  ];
  for (const { name, value, from } of all) {
    if (value === null) return { reason: `The parameter ${shown(name)}, by ${from}, ${NOT_PLAIN}.` };
    gifts.push(gift(name, from, value));
  }
  return { gifts };
}

function giftsByPlace({ parameters }: Definition, message: OwnMessage): Gifts {
  const gifts: Gift[] = [];
  for (const [name, { from, kind }] of parameters) {
    if (!from) continue;
    const found = textsAt(from, kind === "strings", message);
    const source = `its \`from\`, ${writtenPlace(from)}`;
    if ("texts" in found) gifts.push(gift(name, source, found.texts));
    else if (!found.absent) return { reason: `The parameter \`${name}\`: ${source}, ${found.problem}.` };
  }
  return { gifts };
}

function textsAt(place: MessagePlace, isList: boolean, { body, attributes, byName }: OwnMessage): FoundItems {
  if (place.from === "attribute") return attributeText(attributes, place.name);
  // Of a message that names its job the body is but the envelope of its parameters.
  if (place.path.length === 0) return byName ? ABSENT : asItem(body.whole());
  return isList ? body.items(place.path) : asItem(body.field(place.path));
}

const ABSENT: FoundItems = { problem: "is missing", absent: true };
const asItem = (found: Found): FoundItems => ("text" in found ? { texts: [found.text] } : found);

function attributeText(attributes: OwnMessage["attributes"], name: string): FoundItems {
  const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  return value === undefined ? ABSENT : { texts: [value] };
}

function giftsOfCommandLine({ parameters }: Definition, extra: readonly GivenParameter[]): Gift[] {
  return [...parameters.keys()].flatMap((name) => {
    const given = extra.filter((one) => isSame(one.name, name));
    return given.length === 0 ? [] : [{ name, source: "--param of the command line", given }];
  });
}

const isSame = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/** An empty value gives nothing, as everywhere. */
function doubleSource(gifts: readonly Gift[]): string | null {
  const sources = new Map<string, string>();
  for (const { name, source, given } of gifts) {
    if (given.every((one) => (one.file ?? one.value) === "")) continue;
    const key = name.toLowerCase();
    const other = sources.get(key);
    if (other !== undefined) return `The parameter ${shown(name)} is given twice: by ${other} and by ${source}.`;
    sources.set(key, source);
  }
  return null;
}
