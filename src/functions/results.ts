import { ResultFile } from "./api.ts";
import { fs, path } from "./builtins.ts";
import type { Channel } from "./channel.ts";

/** Makes a result of the job: of a copy of a file, of bytes, or of anything that can be JSON. */
export function keepResult(id: string, value: unknown, directory: string, channel: Channel): void {
  const { path, type } = write(id, value, directory);
  channel.say({ result: { id, path, ...(type !== null && { type }) } });
}

function write(id: string, value: unknown, directory: string): { path: string; type: string | null } {
  if (value instanceof ResultFile) {
    // By the ending of its name the type is known, where nothing is said of that.
    const { extname } = path();
    const name = `${fileName(id)}${extname(id) === "" ? extname(value.path) : ""}`;
    // Where the file system can, both share their blocks.
    fs().copyFileSync(value.path, `${directory}/${name}`, fs().constants.COPYFILE_FICLONE);
    return { path: name, type: value.type };
  }
  const name = fileName(id);
  const isBytes = value instanceof Uint8Array;
  fs().writeFileSync(`${directory}/${name}`, isBytes ? value : jsonOf(id, value));
  return { path: name, type: isBytes ? null : "application/json" };
}

/** An id may be any text. */
const fileName = (id: string): string => encodeURIComponent(id).replaceAll(/^\./g, "%2E");

function jsonOf(id: string, value: unknown): string {
  const text: unknown = JSON.stringify(value);
  if (typeof text === "string") return `${text}\n`;
  throw new TypeError(`the result ${JSON.stringify(id)} is nothing that can be JSON, but a ${typeof value}`);
}
