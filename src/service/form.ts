import { Refusal } from "./refusal.ts";
import type { ServiceLimits } from "./limits.ts";

/** One value as it was posted. */
export type Field = readonly [name: string, value: string];

const FORM = "application/x-www-form-urlencoded";

/**
 * All that a request gives by its query and its form.
 *
 * @throws Refusal for a body that is none, or more than the limits allow
 */
export async function readFields(
  request: Request,
  query: URLSearchParams,
  limits: Pick<ServiceLimits, "formBytes" | "formFields">,
): Promise<Field[]> {
  const type = (request.headers.get("content-type") ?? FORM).split(";")[0]?.trim().toLowerCase();
  const bytes = await readBody(request, limits.formBytes);
  if (bytes.length > 0 && type !== FORM) throw new Refusal(415, `The body must be a form: ${FORM}.`);
  const fields = [...query, ...new URLSearchParams(bytes.toString("utf8"))];
  if (fields.length <= limits.formFields) return fields;
  throw new Refusal(413, `There are more than ${limits.formFields} values.`);
}

async function readBody(request: Request, most: number): Promise<Buffer> {
  if (Number(request.headers.get("content-length") ?? 0) > most) throw tooLarge(most);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > most) break;
      chunks.push(chunk);
    }
  } catch {
    // The client hung up, or what it sent is no HTTP: nobody reads the answer.
    throw new Refusal(400, "The body broke off.");
  }
  if (size > most) throw tooLarge(most);
  return Buffer.concat(chunks);
}

const tooLarge = (most: number): Refusal => new Refusal(413, `The body is larger than ${most} bytes.`);
