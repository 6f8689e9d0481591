import type { Definition, ParameterDefinition } from "../../config/definition.ts";
import { inlineBody, messageBody } from "../../config/message-body.ts";
import { messageParameters } from "../../config/message-parameters.ts";
import { NAME, NAME_SENTENCE } from "../../config/names.ts";
import { checkParameters } from "../../config/parameters.ts";
import { compileTemplate, placeholders, withoutCase } from "../../config/template.ts";
import { shown } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import { attributeText, type Attributes } from "../../queue/sqs/message.ts";
import { refuseUnfit } from "../../uws/definition-job.ts";
import type { JobRequest } from "./request.ts";

/** What the service adds to a message by itself. */
const SYSTEM_ATTRIBUTES: ReadonlySet<string> = new Set([
  "ApproximateFirstReceiveTimestamp",
  "ApproximateReceiveCount",
  "AWSTraceHeader",
  "DeadLetterQueueSourceArn",
  "MessageDeduplicationId",
  "MessageGroupId",
  "SenderId",
  "SentTimestamp",
  "SequenceNumber",
]);

/**
 * `{"job":…,"params":…}`, with the parameters as they are given, so that what the worker's definition has by itself is its
 * own affair.
 *
 * @param definition as it is here; undefined: only the worker checks what is given
 * @throws ReeveError (usage) for what the worker would not take
 */
export function jobBody(
  job: string,
  request: JobRequest,
  definition: Definition | undefined,
  attributes: Attributes,
): string {
  if (request.body !== null || request.bodyFile !== null) {
    throw usageError(
      `both the definition ${shown(job)} and a body are given, and a message has one body`,
      "send the text as a parameter; or leave out the definition, and have the worker's reeve.toml route by an --attribute",
    );
  }
  if (!definition && !NAME.test(job)) throw usageError(`${shown(job)} is no definition: a name ${NAME_SENTENCE}`);
  if (definition) refuseUnsendable(definition, request.parameters);
  const body = written({ job, params: givenParameters(request, definition) });
  if (definition) checkAsWorker(definition, body, attributes);
  return body;
}

/** JSON leaves these two characters as they are, and XML, so SQS, has no place for them. */
const written = (value: unknown): string =>
  JSON.stringify(value).replaceAll("\ufffe", "\\ufffe").replaceAll("\uffff", "\\uffff");

/** By the spelling of the definition, else by that which came first. What is given more than once is a list. */
function givenParameters(
  { parameters }: JobRequest,
  definition: Definition | undefined,
): Record<string, string | readonly string[]> {
  const declared = definition?.parameters ?? new Map<string, ParameterDefinition>();
  const entries = [...Map.groupBy(parameters, ({ name }) => name.toLowerCase())].map(([key, given]) => {
    const name = [...declared.keys()].find((one) => one.toLowerCase() === key) ?? given[0]?.name ?? key;
    const [first = "", ...others] = given.map(({ value }) => value);
    const isList = others.length > 0 || declared.get(name)?.kind === "strings";
    return [name, isList ? [first, ...others] : first] as const;
  });
  return Object.fromEntries(entries);
}

/** What the worker would refuse is refused here, where somebody reads it. */
function checkAsWorker(definition: Definition, body: string, attributes: Attributes): void {
  const own = messageBody(inlineBody(new TextEncoder().encode(body)));
  const message = { body: own, attributes: textsOf(attributes), byName: true };
  const found = messageParameters(definition, message, []);
  if ("reason" in found) throw usageError(found.reason);
  const values = checkParameters(withoutLater(definition), found.parameters);
  const isKnown = (word: string): boolean =>
    placeholders(compileTemplate([word])).every(
      ({ source }) => source.from === "parameter" && withoutCase(values, source.name),
    );
  const { command, exitHandler = [] } = definition;
  refuseUnfit(
    { ...definition, command: command.filter(isKnown), exitHandler: exitHandler.filter(isKnown) },
    values,
    null,
  );
}

const textsOf = (attributes: Attributes): Record<string, string> =>
  Object.fromEntries([...attributes].map(([name, value]) => [name, attributeText(value)]));

/** What only the service gives is not missing yet. */
function withoutLater(definition: Definition): Definition {
  const parameters = [...definition.parameters].map(([name, one]) => {
    const comesLater = one.from?.from === "attribute" && SYSTEM_ATTRIBUTES.has(one.from.name);
    return [name, comesLater ? { ...one, required: false } : one] as const;
  });
  return { ...definition, parameters: new Map(parameters) };
}

function refuseUnsendable(definition: Definition, given: JobRequest["parameters"]): void {
  for (const { name } of given) {
    if (!withoutCase(definition.parameters, name)?.secret) continue;
    throw usageError(
      `the parameter ${shown(name)} is secret, and whoever may read the queue could read it`,
      "give the worker's definition the secret itself (env, pass_env), or send the name under which the job can ask for it",
    );
  }
  for (const [name, { kind, required, default: usual }] of definition.parameters) {
    if (kind !== "file" || !required || usual !== undefined) continue;
    throw usageError(
      `the job ${definition.name} needs the file \`${name}\`, and a path means nothing on another host`,
      "have the definition take the name of what the job can get by itself, as a text",
    );
  }
}
