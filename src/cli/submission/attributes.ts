import { shown } from "../../config/wording.ts";
import { usageError } from "../../errors.ts";
import type { Attribute } from "../../queue/sqs/message.ts";
import { unfitCharacter } from "./message-text.ts";
import { pairOf } from "./readers.ts";
import type { GivenAttribute } from "./request.ts";

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
const NAME = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)$/;
const FOREIGN_NAME = /^(?:aws|amazon)\./i;
const OUR_NAME = /^reeve\./i;
const TYPE = /^(?:String|Number|Binary)(?:\.[A-Za-z0-9_.-]{1,249})?$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$/i;
const MOST_DIGITS = 38;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** `NAME=VALUE` is a text; `NAME:TYPE=VALUE` says what else it is. @throws ReeveError (usage) for what is neither. */
export function attributeOf(setting: string, given: string): GivenAttribute {
  const { name, value } = pairOf(setting, given);
  return { ...typedName(name, "String"), value };
}

/** `size:Number`: no attribute's name can have a colon. */
export function typedName(written: string, usual: string): Pick<GivenAttribute, "name" | "dataType"> {
  const at = written.indexOf(":");
  return at === -1
    ? { name: written, dataType: usual }
    : { name: written.slice(0, at), dataType: written.slice(at + 1) };
}

/** As they are sent. @throws ReeveError (usage) for the first that SQS would not take. */
export function writtenAttributes(given: readonly GivenAttribute[]): Map<string, Attribute> {
  const written = new Map<string, Attribute>();
  for (const one of given) {
    checkName(one.name);
    if (written.has(one.name)) throw usageError(`the attribute ${one.name} is given twice`);
    written.set(one.name, writtenOut(one));
  }
  return written;
}

function checkName(name: string): void {
  const what = `${shown(name)} cannot be an attribute's name`;
  if (OUR_NAME.test(name)) throw usageError(`${what}: those that begin with \`reeve.\` are Reeve's own`);
  if (FOREIGN_NAME.test(name)) throw usageError(`${what}: those that begin with \`AWS.\` or \`Amazon.\` are Amazon's`);
  if (!NAME.test(name)) throw usageError(what, "letters, digits, `_`, `-`, and `.` between them; 256 at most");
}

function writtenOut({ name, dataType, value }: GivenAttribute): Attribute {
  if (!TYPE.test(dataType)) {
    throw usageError(`the attribute ${name} is no ${shown(dataType)}`, "it is a String, a Number or a Binary");
  }
  const problem = problemOf(dataType, value);
  if (problem !== null) throw usageError(`the attribute ${name} ${problem}`);
  return dataType.startsWith("Binary")
    ? { dataType, bytes: new Uint8Array(Buffer.from(value, "base64")) }
    : { dataType, text: value };
}

function problemOf(dataType: string, value: string): string | null {
  if (value === "") return "is empty, which none can be on SQS";
  if (dataType.startsWith("Binary")) return BASE64.test(value) ? null : "must be written in base64, as it is a Binary";
  if (dataType.startsWith("Number") && !isNumber(value)) {
    return `must be a number of ${MOST_DIGITS} digits at most, not ${shown(value)}`;
  }
  return unfitCharacter(value);
}

const isNumber = (value: string): boolean =>
  NUMBER.test(value) && value.replace(/e.*$/i, "").replaceAll(/\D/g, "").length <= MOST_DIGITS;
