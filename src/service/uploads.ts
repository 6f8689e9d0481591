import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { Definition } from "../config/definition.ts";
import type { GivenParameter } from "../config/parameters.ts";
import type { Parameter } from "../store/job.ts";
import { letPass } from "../store/uploads.ts";
import type { Field, Received } from "./form.ts";
import { forbidden, malformed } from "./refusal.ts";
import type { ReceivedFile } from "./staging.ts";

/** A file, and the parameter that it is for. */
interface Upload {
  readonly name: string;
  readonly file: ReceivedFile;
}

/** What a request brought, with each file under the name of its parameter. */
export interface Assigned {
  readonly fields: readonly Field[];
  readonly uploads: readonly Upload[];
}

const UPLOAD = "upload";
const INLINE = "param:";

const isUpload = ([name]: Field): boolean => name.toLowerCase() === UPLOAD;
/** Nothing, as some clients send of what was left empty, uploads nothing. */
const entriesOf = ([, value]: Field): string[] => value.split(";").filter((entry) => entry.trim() !== "");

/**
 * Finds the parameters that files are for: that of the part's own name, or what UPLOAD says (DALI 1.1, section 3.4.5:
 * `UPLOAD=NAME,param:PART`).
 *
 * @throws Refusal for an UPLOAD that is none, and for one that would have us fetch something
 */
export async function assign(received: Received, { parameters }: Definition): Promise<Assigned> {
  const { fields, files } = received;
  const isDeclared = [...parameters.keys()].some((name) => name.toLowerCase() === UPLOAD);
  const said = isDeclared ? [] : fields.filter(isUpload).flatMap(entriesOf).map(readUpload);
  const others = isDeclared ? fields : fields.filter((field) => !isUpload(field));
  const parts = new Set(said.map(({ part }) => part));
  // One file cannot be in two places; and a short form could have one value written to the disk a thousand times.
  if (parts.size < said.length) throw malformed("UPLOAD names a part more than once.");
  const meant = await Promise.all(
    said.map(async ({ name, part }) => ({ name, file: await partCalled(part, received) })),
  );
  const plain = files.filter(({ part }) => !parts.has(part)).map((file) => ({ name: file.part, file }));
  return { fields: others.filter(([name]) => !parts.has(name)), uploads: [...meant, ...plain] };
}

function readUpload(text: string): { readonly name: string; readonly part: string } {
  const comma = text.indexOf(",");
  const [name, address] = [text.slice(0, comma).trim(), text.slice(comma + 1).trim()];
  if (comma < 1) throw malformed("UPLOAD must be NAME,param:PART.");
  // The scheme of an address is without case.
  if (address.toLowerCase().startsWith(INLINE) && address.length > INLINE.length)
    return { name, part: address.slice(INLINE.length) };
  throw forbidden("Nothing is fetched for a job: UPLOAD must name a part of the same form, as NAME,param:PART.");
}

/** Some clients give a small file as a plain value. */
async function partCalled(part: string, { files, fields, staging }: Received): Promise<ReceivedFile> {
  const file = files.find((one) => one.part === part);
  if (file) return file;
  const value = fields.find(([name]) => name === part)?.[1];
  if (value === undefined) throw malformed("UPLOAD names a part that is not in the form.");
  return staging.save(part, "", "text/plain", Readable.from([Buffer.from(value)]));
}

/** Files on their way into the directory of a job. */
export class Incoming {
  readonly #directory: string;
  readonly #uploads: readonly Upload[];

  /** @param directory the uploads of that job */
  constructor(directory: string, uploads: readonly Upload[]) {
    this.#directory = directory;
    this.#uploads = uploads;
  }

  /** By the paths that they will have. */
  get parameters(): GivenParameter[] {
    return this.#uploads.map(({ name, file }) => ({ name, value: "", file: this.#pathOf(file) }));
  }

  #pathOf({ fileName }: ReceivedFile): string {
    return join(this.#directory, fileName);
  }

  /** The same with the media types of what is uploaded, here or before. */
  withTypes(parameters: readonly Parameter[], before: readonly Parameter[] = []): Parameter[] {
    const types = new Map<string, string>();
    for (const { values, type } of before) if (type !== undefined) for (const path of values) types.set(path, type);
    for (const { file } of this.#uploads) types.set(this.#pathOf(file), file.type);
    return parameters.map((one) => {
      const type = one.file ? types.get(one.values[0] ?? "") : undefined;
      return type === undefined ? one : { ...one, type };
    });
  }

  /** Brings them where the job will look for them: before it can be found. */
  place({ limits: { resources } }: Definition): void {
    if (this.#uploads.length === 0) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const { file } of this.#uploads) renameSync(file.path, this.#pathOf(file));
    if (resources.user === undefined && resources.group === undefined) return;
    letPass(this.#directory);
    for (const { file } of this.#uploads) chmodSync(this.#pathOf(file), 0o644);
  }

  /** The job is not to have them after all; directories that were made for them are gone as well. */
  remove(): void {
    if (this.#uploads.length === 0) return;
    for (const { file } of this.#uploads) rmSync(this.#pathOf(file), { force: true });
    for (const directory of [this.#directory, dirname(this.#directory)]) {
      if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
    }
  }
}

/** Removes the files of parameters that others have taken the place of. */
export function removeUploads(directory: string, parameters: readonly Parameter[]): void {
  const paths = parameters.flatMap(({ values, type }) => (type === undefined ? [] : values));
  for (const path of paths) rmSync(join(directory, basename(path)), { force: true });
}
