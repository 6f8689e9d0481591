import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Content, Result } from "../store/job.ts";
import type { DeclaredResult } from "./control.ts";

/** Up to so many bytes are kept in the row of the store, what is larger in a file. */
export const INLINE_BYTES = 16 * 1024;

/** Ids under which the job's own output is shown. */
const RESERVED = new Set(["stdout", "stderr", "log"]);

const MEDIA_TYPES: Readonly<Record<string, string>> = {
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
};

export function mediaTypeOf(path: string): string {
  return MEDIA_TYPES[path.slice(path.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream";
}

export interface FoundResults {
  readonly results: readonly Result[];
  readonly warnings: readonly string[];
}

/**
 * The regular files below a directory as results: under the id and media type that the job declared, else under their
 * relative path. Links are left out: a result is never a file outside of the job's directory.
 */
export function findResults(directory: string, declared: readonly DeclaredResult[]): FoundResults {
  const files = new Map(filesBelow(directory).map((path) => [relative(directory, path), path]));
  const results = new Map<string, Result>();
  const warnings: string[] = [];
  const named = new Set<string>();
  for (const { id, path, type } of declared) {
    const inside = relative(directory, join(directory, path));
    const file = files.get(inside);
    if (file && !RESERVED.has(id)) {
      named.add(inside);
      results.set(id, { id, type: type ?? mediaTypeOf(file), content: contentOf(file) });
    } else warnings.push(file ? `the result id ${id} is reserved` : `there is no result file ${path} for ${id}`);
  }
  for (const [path, file] of files) {
    const id = RESERVED.has(path) ? `results/${path}` : path;
    if (!named.has(path) && !results.has(id)) {
      results.set(id, { id, type: mediaTypeOf(file), content: contentOf(file) });
    }
  }
  return { results: [...results.values()], warnings };
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

function contentOf(path: string): Content {
  const { size } = lstatSync(path);
  if (size > INLINE_BYTES) return { kind: "file", path, size };
  return { kind: "inline", bytes: new Uint8Array(readFileSync(path)) };
}
