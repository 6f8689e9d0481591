import { unreachable } from "../../errors.ts";
import { isoTime } from "../../uws/document.ts";
import { shortId } from "../ids.ts";
import { printJson, printJsonList } from "../render/json.ts";
import { pairs, screenOf, table } from "../render/table.ts";
import { counted, safe, safeLines } from "../render/text.ts";
import { byteSize, timeAndAge } from "../render/times.ts";
import type { Options } from "../invocation.ts";
import { print } from "../streams.ts";
import { base64, documentOf, type Letter } from "./letter.ts";
import type { Fate } from "./working.ts";

/** Of a body, so much is shown in a table. */
const SHOWN = 80;

export async function printLetters(letters: readonly Letter[], options: Options): Promise<void> {
  if (options.flag("json")) return printJsonList(letters, documentOf);
  if (letters.length === 0) return;
  const rows = letters.map((letter) => [
    safe(shortId(letter.id)),
    letter.message.sentAt === null ? "" : isoTime(letter.message.sentAt),
    String(letter.message.receiveCount ?? ""),
    safe(letter.reason ?? ""),
    safe(letter.definition ?? letter.message.body.slice(0, SHOWN)),
  ]);
  await print(table(["ID", "SENT", "RECEIVED", "REASON", "JOB"], rows, screenOf(options)));
}

export async function printLetter(letter: Letter, options: Options, now: number): Promise<void> {
  if (options.flag("json")) return printJson(documentOf(letter));
  const { message, id, reason, definition } = letter;
  const time = (at: number | null): string => (at === null ? "" : timeAndAge(at, now));
  const attributes = [...message.attributes].map(([name, value]) => {
    const text = "text" in value ? value.text : base64(value.bytes);
    return `${name} (${value.dataType}): ${text}`;
  });
  const told = pairs(
    [
      ["letter", safe(id)],
      ["message", safe(message.id)],
      ["definition", safe(definition ?? "")],
      ["reason", safeLines(reason ?? "")],
      ["sent", time(message.sentAt)],
      ["first received", time(message.firstReceivedAt)],
      ["received", message.receiveCount === null ? "" : counted(message.receiveCount, "time")],
      ["group", safe(message.systemAttributes.get("MessageGroupId") ?? "")],
      ["attributes", safeLines(attributes.join("\n"))],
      ["body", byteSize(Buffer.byteLength(message.body))],
    ],
    screenOf(options),
  );
  await print(`${told}\n${safeLines(message.body)}\n`);
}

/** Why a letter is not where it was to be, and what to do about it. */
export function complaintOf({ id, message }: Letter, fate: Exclude<Fate, { kind: "done" }>): string {
  const letter = safe(id === message.id ? `letter ${id}` : `letter ${id} (message ${message.id})`);
  const why = safe(fate.failure.message);
  switch (fate.kind) {
    case "not sent":
      if (!fate.failure.unanswered) return `${letter} stays: ${why}`;
      return `${letter} stays, but a copy may have been sent, since no answer came: ${why}`;
    case "not deleted":
      return `${letter} stays: ${why}`;
    case "sent, not deleted":
      return `${letter} was sent back, and stays a dead letter as well: ${why}; \`reeve dead purge ${safe(message.id)}\` removes it`;
    default:
      return unreachable(fate);
  }
}
