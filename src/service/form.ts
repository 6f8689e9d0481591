import { isUtf8 } from "node:buffer";
import { piecesOf } from "./body.ts";
import { readMultipart } from "./multipart.ts";
import type { Exchange } from "./ports.ts";
import { malformed, Refusal } from "./refusal.ts";
import { withStaging, type ReceivedFile, type Staging } from "./staging.ts";

/** One value as it was posted. */
export type Field = readonly [name: string, value: string];

/** What a request brought. */
export interface Received {
  /** Of its query and its form. */
  readonly fields: readonly Field[];
  /** The parts of the form that are files; each is gone when the request has been answered, unless it is moved. */
  readonly files: readonly ReceivedFile[];
  readonly staging: Staging;
}

type FormContent = Pick<Received, "fields" | "files">;

const FORM = "application/x-www-form-urlencoded";
const MULTIPART = "multipart/form-data";

/**
 * Reads all that a request gives by its query and its form, and has it used.
 *
 * @throws Refusal for a body that is none, or more than the limits allow
 */
export function receiving(exchange: Exchange, use: (received: Received) => Promise<Response>): Promise<Response> {
  return withStaging(exchange, async (staging) => {
    refusePacked(exchange.request);
    refuseUnreadable(new URL(exchange.request.url).search);
    const { fields, files } = await readForm(exchange, staging);
    const all = [...exchange.query, ...fields];
    const { formFields } = exchange.limits;
    if (all.length + files.length > formFields) throw new Refusal(413, `There are more than ${formFields} values.`);
    return use({ fields: all, files, staging });
  });
}

async function readForm(exchange: Exchange, staging: Staging): Promise<FormContent> {
  const { request, limits, clock } = exchange;
  const [type = ""] = (request.headers.get("content-type") ?? FORM).split(";");
  const isMultipart = type.trim().toLowerCase() === MULTIPART;
  const most = isMultipart ? Math.max(limits.uploadBytes, limits.formBytes) : limits.formBytes;
  const pieces = piecesOf(request, { most, bodyMs: limits.bodyMs, clock });
  if (isMultipart) return readMultipart(pieces, exchange, staging);
  const bytes = Buffer.concat(await Array.fromAsync(pieces));
  if (bytes.length > 0 && type.trim().toLowerCase() !== FORM) {
    throw new Refusal(415, `The body must be a form: ${FORM} or ${MULTIPART}.`);
  }
  const text = isUtf8(bytes) ? bytes.toString("utf8") : refuseText();
  refuseUnreadable(text);
  return { fields: [...new URLSearchParams(text)], files: [] };
}

function refusePacked({ headers }: Request): void {
  const packing = headers.get("content-encoding") ?? "identity";
  if (packing.trim().toLowerCase() !== "identity") throw new Refusal(415, "The body must not be packed.");
}

/**
 * A name or a value with other bytes in it would silently become another one.
 *
 * @throws Refusal for what is no UTF-8, in a form or a query
 */
function refuseUnreadable(text: string): void {
  try {
    for (const [bytes] of text.matchAll(/(?:%[\da-f]{2})+/gi)) decodeURIComponent(bytes);
  } catch {
    refuseText();
  }
}

function refuseText(): never {
  throw malformed("What was given is not all UTF-8.");
}
