import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../clock.ts";
import type { StoreLocation } from "../store/location.ts";
import type { Exchange } from "./ports.ts";

/** A file that came with a request, and is on disk. */
export interface ReceivedFile {
  /** The name of its part. */
  readonly part: string;
  readonly path: string;
  /** As the client calls its media type. */
  readonly type: string;
  /** It begins with something that nobody can guess, and has nothing in it that a path or an option could be made of. */
  readonly fileName: string;
  readonly size: number;
}

const LONGEST_NAME = 100;
/** Milliseconds after which nobody can be at it any more. */
const ABANDONED_MS = 24 * 3600 * 1000;
const ROUND_MS = 3600 * 1000;

/** A directory for the files of one request; there is none before the first of them. */
export class Staging {
  readonly #directory: string;
  readonly #newId: () => string;
  #isThere = false;

  constructor(directory: string, newId: () => string) {
    this.#directory = directory;
    this.#newId = newId;
  }

  /** Writes a file, and waits until it is on disk. */
  async save(part: string, name: string, type: string, content: Readable): Promise<ReceivedFile> {
    if (!this.#isThere) mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#isThere = true;
    const fileName = `${this.#newId().slice(0, 10)}-${harmless(name)}`;
    const path = join(this.#directory, fileName);
    const out = createWriteStream(path, { flags: "wx", mode: 0o600 });
    await pipeline(content, out);
    await synced(path);
    return { part, path, type, fileName, size: out.bytesWritten };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isThere) await rm(this.#directory, { recursive: true, force: true });
  }
}

async function synced(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What is left of a client's name for a file; its ending may matter to the program that gets it. */
const harmless = (name: string): string => name.replaceAll(/[^\w.-]/g, "_").slice(-LONGEST_NAME) || "file";

/** Gives a request a place for its files, which is gone afterwards with all that is still in it. */
export async function withStaging<T>(
  { store, newId }: Pick<Exchange, "store" | "newId">,
  use: (staging: Staging) => Promise<T>,
): Promise<T> {
  await using staging = new Staging(join(store.location.uploads, newId()), newId);
  return await use(staging);
}

/**
 * Removes what servers left that were killed, now and again every hour: one that has just been started anew finds nothing
 * that is old enough yet. Gives the way to stop.
 *
 * @param onFault told what a later round could not remove
 */
export function keepClean(
  { uploads }: Pick<StoreLocation, "uploads">,
  clock: Pick<Clock, "now" | "after">,
  onFault: (error: unknown) => void,
): () => void {
  mkdirSync(uploads, { recursive: true, mode: 0o700 });
  removeAbandoned(uploads, clock.now());
  let cancel: (() => void) | null = null;
  const later = (): void => {
    cancel = clock.after(ROUND_MS, () => {
      try {
        removeAbandoned(uploads, clock.now());
      } catch (error) {
        onFault(error);
      }
      later();
    });
  };
  later();
  return () => cancel?.();
}

function removeAbandoned(uploads: string, now: number): void {
  // A store that was removed is not made again.
  if (!existsSync(uploads)) return;
  for (const name of readdirSync(uploads)) {
    const path = join(uploads, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && now - stat.mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
}
