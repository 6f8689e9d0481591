import { copyFileSync, constants, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { ResultFile } from "./api.ts";
import type { Channel } from "./channel.ts";

/** Makes a result of the job: of a copy of a file, of bytes, or of anything that can be JSON. */
export function keepResult(id: string, value: unknown, directory: string, channel: Channel): void {
  const { path, type } = write(id, value, directory);
  channel.say({ result: { id, path, ...(type !== null && { type }) } });
}

function write(id: string, value: unknown, directory: string): { path: string; type: string | null } {
  if (value instanceof ResultFile) {
    // By the ending of its name the type is known, where nothing is said of that.
    const path = `${fileName(id)}${extname(id) === "" ? extname(value.path) : ""}`;
    // Where the file system can, both share their blocks.
    copyFileSync(value.path, join(directory, path), constants.COPYFILE_FICLONE);
    return { path, type: value.type };
  }
  const path = fileName(id);
  const isBytes = value instanceof Uint8Array;
  writeFileSync(join(directory, path), isBytes ? value : jsonOf(id, value));
  return { path, type: isBytes ? null : "application/json" };
}

/** An id may be any text. */
const fileName = (id: string): string => encodeURIComponent(id).replaceAll(/^\./g, "%2E");

function jsonOf(id: string, value: unknown): string {
  const text: unknown = JSON.stringify(value);
  if (typeof text === "string") return `${text}\n`;
  throw new TypeError(`the result ${JSON.stringify(id)} is nothing that can be JSON, but a ${typeof value}`);
}
