import { EXIT, type ReeveError } from "../errors.ts";

/** What is not answered as asked. Its sentence goes over the wire: it holds nothing of what was asked. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, sentence: string, headers: Readonly<Record<string, string>> = {}) {
    super(sentence);
    this.status = status;
    this.headers = headers;
  }
}

export const malformed = (sentence: string): Refusal => new Refusal(400, sentence);
export const forbidden = (sentence: string): Refusal => new Refusal(403, sentence);
export const notFound = (): Refusal => new Refusal(404, "There is no such resource.");

/** Seconds after which it is worth to try again. */
export const RETRY_SECONDS = 2;

export const busy = (sentence: string): Refusal => new Refusal(503, sentence, { "Retry-After": String(RETRY_SECONDS) });

/** @param seconds after which it is worth to try again */
export const tooMany = (sentence: string, seconds: number): Refusal =>
  new Refusal(429, sentence, { "Retry-After": String(seconds) });

/** The errors that are meant for people, as HTTP has them; undefined: it is a fault of our own. */
export function refusalOf(error: ReeveError): Refusal | undefined {
  switch (error.exitCode) {
    case EXIT.usage:
      return forbidden(error.message);
    case EXIT.nothingThere:
      return notFound();
    case EXIT.unavailable:
      return busy("The store cannot be reached now.");
    default:
      return undefined;
  }
}
