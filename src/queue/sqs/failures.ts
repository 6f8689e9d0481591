import type { BatchResultErrorEntry } from "@aws-sdk/client-sqs";
import { codeOf, messageOf } from "../../errors.ts";
import { hintByName, isUnknownCaller, kindByName } from "./error-names.ts";
import type { Asked } from "./health.ts";
import type { Failure } from "./outcome.ts";

/** What we call it ourselves that a connection was closed under a request. */
export const CLOSED = "Closed";

/** No answer came, or not all of it. */
export class Unanswered extends Error {
  override readonly name: string;
  /** @param name what the system calls it (`ECONNRESET`), or what we do */
  constructor(name: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** An answer, and not one of SQS. */
class Nonsense extends Error {
  override readonly name = "Nonsense";
}

/** A signature that is refused for its time only: the SDK learns the server's time from such an answer. */
const CLOCK_TEXT = /Signature (?:expired|not yet current)/i;

/** The runtimes have no class for it: OpenSSL's names on Bun, rustls' words on Deno. */
const CERTIFICATE_TEXT = /CERT_|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|certificate/;

/** What the SDK says of a region that can be no part of a host's name. */
const REGION_TEXT = /^Region (?:is missing|not accepted)|Missing Region/i;

/** Of an answer that is nonsense, so much is shown. */
const SHOWN_BYTES = 80;

/** What was thrown when a request was sent. */
export function failureOf(thrown: unknown, { action, queue }: Asked): Failure {
  const error = isUnreadable(thrown) ? new Nonsense(describeAnswer(thrown), { cause: thrown }) : thrown;
  const status = statusOf(thrown);
  // The SDK's word for none.
  const text = messageOf(error).replace(/^UnknownError$/, "no reason given");
  const name = nameOf(error);
  const detail = [name, ...(status === undefined ? [] : [`HTTP ${status}`]), ...requestIdOf(thrown)].join(", ");
  return {
    kind: kindOf(error, text, status),
    name,
    message: `${action} on ${queue}: ${text} (${detail})`,
    hint: isAboutCertificate(error, text) ? "AWS_CA_BUNDLE names a file of certificates to trust" : hint(error, action),
    unanswered: error instanceof Unanswered,
  };
}

const hint = (error: unknown, action: string): string | null => hintByName(namesOf(error), action);

/** One entry of a batch that was answered with 200 and failed all the same. */
export function entryFailure(
  { Code: name = "Unknown", Message: text = "no reason given", SenderFault: isOurs = false }: Entry,
  { action, queue }: Asked,
): Failure {
  return {
    // What is not said to be our fault is the server's: it may pass.
    kind: kindByName([name], text) ?? (isOurs ? "refused" : "transient"),
    name,
    message: `${action} on ${queue}: ${text} (${name})`,
    hint: hintByName([name], action),
    unanswered: false,
  };
}

type Entry = Pick<BatchResultErrorEntry, "Code" | "Message" | "SenderFault">;

/** For an answer that can be read, and is not what SQS answers. */
export const nonsense = (what: string, asked: Asked): Failure => failureOf(new Nonsense(what), asked);

function kindOf(error: unknown, text: string, status: number | undefined): Failure["kind"] {
  if (error instanceof Nonsense || isAboutClock(error, text)) return "transient";
  const named = kindByName(namesOf(error), text);
  if (named !== null) return named;
  if (status === undefined) return isAboutCertificate(error, text) || REGION_TEXT.test(text) ? "fatal" : "transient";
  const isClientFault = status >= 400 && status < 500 && status !== 408 && status !== 429;
  // A 4xx without a name is no answer of SQS, but of a proxy, or of a web server at a wrong address.
  return isClientFault && !/^Unknown(?:Error)?$/.test(nameOf(error)) ? "refused" : "transient";
}

/** The SDK marks every error of a server whose clock is another: only one about the signature is for that. */
const isAboutClock = (error: unknown, text: string): boolean =>
  CLOCK_TEXT.test(text) ||
  (field(field(error, "$metadata"), "clockSkewCorrected") === true && isUnknownCaller({ name: nameOf(error) }));

const isAboutCertificate = (error: unknown, text: string): boolean =>
  error instanceof Unanswered && CERTIFICATE_TEXT.test(`${error.name} ${text}`);

/** Whether the SDK could not make an answer, or an error, of what came. */
const isUnreadable = (thrown: unknown): boolean => thrown instanceof SyntaxError || thrown instanceof TypeError;

function describeAnswer(thrown: unknown): string {
  const body = field(field(thrown, "$response"), "body");
  if (typeof body !== "string" && !(body instanceof Uint8Array))
    return `an answer of another shape: ${messageOf(thrown)}`;
  const text = Buffer.from(body).toString("utf8", 0, SHOWN_BYTES);
  return `an answer that is not SQS's: ${JSON.stringify(text)}`;
}

/** The name of what was thrown, and the older one that the server may have told beside it. */
function namesOf(error: unknown): string[] {
  const found = [field(error, "name"), field(error, "Code"), field(field(error, "Error"), "Code"), codeOf(error)];
  return found.filter((name) => typeof name === "string");
}

function nameOf(error: unknown): string {
  const name = field(error, "name");
  return typeof name === "string" && name !== "" ? name : "Unknown";
}

function statusOf(thrown: unknown): number | undefined {
  const status = field(field(thrown, "$metadata"), "httpStatusCode");
  return typeof status === "number" ? status : undefined;
}

function requestIdOf(thrown: unknown): string[] {
  const id = field(field(thrown, "$metadata"), "requestId");
  return typeof id === "string" && id !== "" ? [`request ${id}`] : [];
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
