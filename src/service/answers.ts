import type { Refusal } from "./refusal.ts";

const XML = "text/xml; charset=utf-8";
const TEXT = "text/plain; charset=utf-8";

const length = (text: string): string => String(Buffer.byteLength(text));

/** A document of UWS or VOSI. */
export const xmlAnswer = (document: string): Response =>
  new Response(document, { headers: { "Content-Type": XML, "Content-Length": length(document) } });

/** The same in pieces. */
export const xmlStream = (pieces: ReadableStream<Uint8Array>): Response =>
  new Response(pieces, { headers: { "Content-Type": XML } });

/** One value by itself, without a newline. */
export const textAnswer = (text: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(text, { status, headers: { "Content-Type": TEXT, "Content-Length": length(text), ...headers } });

/** What was asked for has been done; the outcome is there. */
export const seeOther = (location: string): Response => textAnswer("", 303, { Location: location });

export const refused = ({ status, message, headers }: Refusal): Response => textAnswer(`${message}\n`, status, headers);

const SAFETY = {
  "Cache-Control": "no-store",
  // What a job made may be a page with scripts, and is not to be one in our name.
  "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** Adds what keeps browsers from making more of an answer than it is; what it says itself stands. */
export function madeSafe(response: Response): Response {
  for (const [name, value] of Object.entries(SAFETY))
    if (!response.headers.has(name)) response.headers.set(name, value);
  return response;
}

/** The answer to HEAD: that to GET, without its body. */
export async function withoutBody(response: Response): Promise<Response> {
  await response.body?.cancel();
  return new Response(null, { status: response.status, headers: response.headers });
}
