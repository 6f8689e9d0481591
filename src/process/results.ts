import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isOutOfFiles, messageOf } from "../errors.ts";
import type { Content, Result } from "../store/job.ts";
import type { DeclaredResult } from "./control.ts";
import { withSpare } from "./spare.ts";

/** Up to so many bytes are kept in the row of the store, what is larger in a file. */
export const INLINE_BYTES = 16 * 1024;

/** Ids under which the job's own output is shown. */
const RESERVED = new Set(["stdout", "stderr", "log"]);

const MEDIA_TYPES = new Map(
  Object.entries({
    csv: "text/csv",
    fits: "application/fits",
    gif: "image/gif",
    html: "text/html",
    jpeg: "image/jpeg",
    jpg: "image/jpeg",
    json: "application/json",
    log: "text/plain",
    md: "text/markdown",
    pdf: "application/pdf",
    png: "image/png",
    svg: "image/svg+xml",
    txt: "text/plain",
    vot: "application/x-votable+xml",
    xml: "text/xml",
  }),
);

export function mediaTypeOf(path: string): string {
  return MEDIA_TYPES.get(path.slice(path.lastIndexOf(".") + 1).toLowerCase()) ?? "application/octet-stream";
}

export interface FoundResults {
  readonly results: readonly Result[];
  readonly warnings: readonly string[];
}

/**
 * The regular files below a directory as results: under the id and media type that the job declared, else under their
 * relative path. Links are left out: a result is never a file outside of the job's directory. What cannot be read
 * costs a warning.
 */
export function findResults(directory: string, declared: readonly DeclaredResult[]): FoundResults {
  const warnings: string[] = [];
  const files = new Map(filesBelow(directory, warnings).map((path) => [relative(directory, path), path]));
  const results = new Map<string, Result>();
  const add = (id: string, file: string, type: string | null): void => {
    const content = attempt(() => withSpare(() => contentOf(file)), `the result ${id} cannot be read`, warnings);
    if (content) results.set(id, { id, type: type ?? mediaTypeOf(file), content });
  };
  const named = new Set<string>();
  for (const { id, path, type } of declared) {
    const inside = relative(directory, join(directory, path));
    const file = files.get(inside);
    if (!file) warnings.push(`there is no result file ${path} for ${id}`);
    else if (RESERVED.has(id)) warnings.push(`the result id ${id} is reserved`);
    else {
      named.add(inside);
      add(id, file, type);
    }
  }
  for (const [path, file] of files) {
    const id = RESERVED.has(path) ? `results/${path}` : path;
    if (!named.has(path) && !results.has(id)) add(id, file, null);
  }
  return { results: [...results.values()], warnings };
}

function filesBelow(directory: string, warnings: string[]): string[] {
  const list = () => withSpare(() => readdirSync(directory, { withFileTypes: true }));
  const entries = attempt(list, `the results in ${directory} cannot be listed`, warnings) ?? [];
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path, warnings);
    return entry.isFile() ? [path] : [];
  });
}

/** A job may leave what nobody can read: without rights, or with a name that is no text. */
function attempt<T>(read: () => T, what: string, warnings: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    // It will be there to be read when others have been closed.
    if (isOutOfFiles(error)) throw error;
    warnings.push(`${what}: ${messageOf(error)}`);
    return undefined;
  }
}

/** Whoever else runs as the user of the job may put a link or a pipe in its place meanwhile. */
function contentOf(path: string): Content {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new Error("it is no file any more");
    if (stat.size > INLINE_BYTES) return { kind: "file", path, size: stat.size };
    return { kind: "inline", bytes: new Uint8Array(readFileSync(descriptor)) };
  } finally {
    closeSync(descriptor);
  }
}
