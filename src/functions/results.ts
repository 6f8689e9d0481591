import { messageOf } from "../errors.ts";
import { ResultFile } from "./api.ts";
import { fs, path } from "./builtins.ts";
import type { Channel } from "./channel.ts";

/** Bytes of a file's name, so that an ending and the marks of file systems have room. */
const LONGEST_NAME = 200;

/** Makes a result of the job: of a copy of a file, of bytes, or of anything that can be JSON. */
export function keepResult(id: string, value: unknown, directory: string, channel: Channel): void {
  const { path, type } = write(id, value, directory);
  channel.say({ result: { id, path, ...(type !== null && { type }) } });
  if (isLostInJson(value)) {
    const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
    const message = `the result ${JSON.stringify(id)} is {}, since JSON keeps nothing of what it is (${kind})`;
    channel.mention({ error: { message, type: "transient" } });
  }
}

function write(id: string, value: unknown, directory: string): { path: string; type: string | null } {
  const name = fileName(id);
  if (value instanceof ResultFile) return copy(id, name, value, directory);
  const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  const isBytes = bytes instanceof Uint8Array;
  fs().writeFileSync(`${directory}/${name}`, isBytes ? bytes : jsonOf(id, bytes));
  return { path: name, type: isBytes ? null : "application/json" };
}

function copy(id: string, name: string, file: ResultFile, directory: string): { path: string; type: string | null } {
  const isThere = fs().statSync(file.path, { throwIfNoEntry: false })?.isFile() ?? false;
  if (!isThere) throw new Error(`there is no file ${file.path} for the result ${JSON.stringify(id)}`);
  // By the ending of its name the type is known, where nothing is said of that.
  const { extname } = path();
  const whole = `${name}${extname(id) === "" ? extname(file.path) : ""}`;
  // Where the file system can, both share their blocks.
  fs().copyFileSync(file.path, `${directory}/${whole}`, fs().constants.COPYFILE_FICLONE);
  return { path: whole, type: file.type };
}

/** An id may be any text that is no longer than a file's name. */
function fileName(id: string): string {
  const name = encodeURIComponent(id).replaceAll(/^\./g, "%2E");
  if (name === "") throw new TypeError("a result has an empty id");
  if (name.length > LONGEST_NAME) throw new RangeError(`a result has too long an id: ${id.slice(0, 40)}…`);
  return name;
}

function jsonOf(id: string, value: unknown): string {
  const text = jsonText(id, value);
  if (typeof text === "string") return `${text}\n`;
  throw new TypeError(`the result ${JSON.stringify(id)} is nothing that can be JSON, but a ${typeof value}`);
}

function jsonText(id: string, value: unknown): unknown {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`the result ${JSON.stringify(id)} cannot be JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** A Map, a Response, an error: what it has is in none of its properties. */
function isLostInJson(value: unknown): boolean {
  if (typeof value !== "object" || value === null || value instanceof ResultFile) return false;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value) || "toJSON" in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype || Array.isArray(value)) return false;
  return Object.keys(value).length === 0;
}
