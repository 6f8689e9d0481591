import { usageError } from "../../errors.ts";

/** What XML 1.0 has no place for, and SQS does not take: https://www.w3.org/TR/xml/#charsets */
const UNFIT = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Why SQS would not take a text (`holds U+0001 …`), or null if it would. */
export function unfitCharacter(text: string): string | null {
  const found = UNFIT.exec(text);
  if (found === null) return null;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const position = Array.from(text.slice(0, found.index)).length + 1;
  return `holds U+${code}, its character ${position}, which SQS does not take`;
}

/** A body as it is sent, byte for byte. @throws ReeveError (usage) that says which byte or character SQS does not take. */
export function bodyText(bytes: Uint8Array): string {
  if (bytes.length === 0) throw usageError("the body is empty, which no message's can be on SQS");
  const text = decoded(bytes);
  const problem = text === null ? `is no UTF-8: ${whereBroken(bytes)}` : unfitCharacter(text);
  if (text === null || problem !== null) throw usageError(`the body ${problem}`, "base64 makes a text of any bytes");
  return text;
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function whereBroken(bytes: Uint8Array): string {
  if (isBeginning(bytes)) return "it ends in the middle of a character";
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isBeginning(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  return `its byte ${bad} is 0x${(bytes[bad - 1] ?? 0).toString(16).padStart(2, "0")}`;
}

/** Whether a text in UTF-8 could begin so. */
function isBeginning(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
