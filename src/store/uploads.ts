import { chmodSync, linkSync, mkdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../errors.ts";
import type { Parameter } from "./job.ts";
import type { StoreLocation } from "./location.ts";

const PASSABLE = 0o711;
const ANYBODY_PASSES = 0o001;
/** The uploads of a job, its directory, the shard, and the directory of all jobs. */
const LEVELS = 4;

/** Has a job of another user reach its uploads: it knows the names, and nobody else can see or guess them. */
export function letPass(uploads: string): void {
  let directory = uploads;
  for (let level = 0; level < LEVELS; level += 1) {
    chmodSync(directory, PASSABLE);
    directory = dirname(directory);
  }
}

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
    const isOpen = (statSync(dirname(path)).mode & ANYBODY_PASSES) !== 0;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (isOpen) letPass(directory);
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
