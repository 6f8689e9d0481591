import { chmodSync, linkSync, mkdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../errors.ts";
import type { Parameter } from "./job.ts";
import type { StoreLocation } from "./location.ts";

/**
 * Gives a new job the files that came with an old one, as links, so that either can be forgotten without the other. What
 * is gone already is left for the job to miss.
 *
 * @returns its parameters
 */
export function shareUploads(location: StoreLocation, parameters: readonly Parameter[], id: string): Parameter[] {
  const share = (path: string): string => shareUpload(path, location.uploadsOf(id));
  return parameters.map((one) => (one.type === undefined ? one : { ...one, values: one.values.map(share) }));
}

function shareUpload(path: string, directory: string): string {
  const target = join(directory, basename(path));
  try {
    const { mode } = statSync(dirname(path));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, mode);
    linkSync(path, target);
    return target;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return path;
    throw error;
  }
}

/** The new job is not made after all. */
export function unshareUploads(location: StoreLocation, parameters: readonly Parameter[], id: string): void {
  if (parameters.some(({ type }) => type !== undefined)) rmSync(location.job(id), { recursive: true, force: true });
}
