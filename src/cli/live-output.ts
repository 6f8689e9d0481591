import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../errors.ts";
import type { Runtime } from "../runtime/port.ts";
import { tryToWatch } from "../watch.ts";

/** Read and written at once: all that is kept in memory, whatever the job writes. */
const CHUNK = 256 * 1024;
/** A look of its own, should a call of the kernel be lost; and where it gives none (inotify has 128 instances a user). */
const SLOW_LOOK_MS = 1000;
const LOOK_WITHOUT_WATCH_MS = 50;
/** Somebody has made the reader's end of ours non-blocking, and it is full. */
const FULL_PIPE_MS = 5;

type Write = Runtime["write"];
type OutputFile = "output" | "errors";

/** Where what is in a slot's file goes. */
const TARGETS: readonly (readonly [OutputFile, 1 | 2])[] = [
  ["output", 1],
  ["errors", 2],
];

/**
 * Whether our stdout and stderr lead to the same place (a terminal, `2>&1`): nobody can tell them apart there, and one
 * log keeps the order in which they were written.
 */
export function isOneStream(): boolean {
  try {
    const [out, error] = [fstatSync(1), fstatSync(2)];
    return out.dev === error.dev && out.ino === error.ino;
  } catch (error) {
    if (codeOf(error) === "EBADF") return false;
    throw error;
  }
}

/**
 * Copies what a job writes into its files to our own stdout and stderr, as it comes and to the last byte. Each at the
 * pace of its reader: one that is slow holds up neither the job nor the other.
 */
export class LiveOutput {
  readonly #write: Write;
  /** Called once, when nobody reads any more, or nothing can be written. */
  readonly #onBroken: (error: unknown) => void;
  /** Bytes that have been passed on; after its end all there are. */
  readonly #passed: Record<OutputFile, number> = { output: 0, errors: 0 };
  #copying: Promise<void>[] = [];
  #news = Promise.withResolvers<void>();
  #close: () => void = () => {};
  #ending = false;
  #broken: { readonly by: unknown } | null = null;
  /** Whether what follows begins a line, as far as it is known. */
  readonly #endsInLine: Record<1 | 2, boolean> = { 1: true, 2: true };

  constructor(write: Write, onBroken: (error: unknown) => void) {
    this.#write = write;
    this.#onBroken = onBroken;
  }

  /** Begins with the files of a slot. */
  follow(directory: string): void {
    this.#close = lookOut(directory, () => this.#look());
    this.#copying = TARGETS.map(([file, target]) => this.#copy(directory, file, target));
  }

  #look(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** Nothing more is written by the job: kept when all of it has been passed on, or cannot be. */
  async finish(): Promise<void> {
    this.#ending = true;
    this.#look();
    await Promise.all(this.#copying);
    this.#close();
  }

  /** What kept it from writing; null: nothing. */
  get broken(): { readonly by: unknown } | null {
    return this.#broken;
  }

  /** A line of our own on stderr. Where nobody reads that, there is nobody to tell. */
  async say(line: string): Promise<void> {
    const begin = this.#endsInLine[2] && (this.#endsInLine[1] || !isOneStream()) ? "" : "\n";
    await this.#pass(new TextEncoder().encode(`${begin}${line}\n`), 2).catch(() => {});
    this.#endsInLine[1] = true;
  }

  /** Bytes of this file that have been passed on, or that nobody waits for any more. */
  readonly passed = (file: OutputFile): number => this.#passed[file];

  async #copy(directory: string, file: OutputFile, target: 1 | 2): Promise<void> {
    try {
      await withDescriptor(join(directory, file), (source) => this.#copyFrom(source, file, target));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#passed[file] = Number.POSITIVE_INFINITY;
    }
  }

  async #copyFrom(source: number, file: OutputFile, target: 1 | 2): Promise<void> {
    const buffer = new Uint8Array(CHUNK);
    for (;;) {
      // Asked before the look: what is written until then is found by it.
      const [ending, news] = [this.#ending, this.#news.promise];
      const bytes = buffer.subarray(0, readSync(source, buffer, 0, CHUNK, this.#passed[file]));
      if (bytes.length > 0) await this.#pass(bytes, target);
      else if (ending) return;
      else await news;
      this.#passed[file] += bytes.length;
    }
  }

  async #pass(bytes: Uint8Array, target: 1 | 2): Promise<void> {
    for (let left = bytes; left.length > 0;) left = left.subarray(await this.#writeSome(left, target));
    this.#endsInLine[target] = bytes.at(-1) === NEWLINE;
  }

  async #writeSome(bytes: Uint8Array, target: 1 | 2): Promise<number> {
    try {
      return await this.#write(target, bytes);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, FULL_PIPE_MS));
      return 0;
    }
  }

  /** A terminal that was closed takes nothing more (EIO); whoever left a job behind in it wants that to go on. */
  #fail(error: unknown): void {
    if (codeOf(error) === "EIO" || this.#broken) return;
    this.#broken = { by: error };
    this.#onBroken(error);
  }
}

const NEWLINE = 10;

async function withDescriptor(path: string, use: (descriptor: number) => Promise<void>): Promise<void> {
  const descriptor = openSync(path, "r");
  try {
    await use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Calls back when something in a directory has changed, and now and then. Gives the way to stop. */
function lookOut(directory: string, callback: () => void): () => void {
  const unwatch = tryToWatch(directory, callback);
  const timer = setInterval(callback, unwatch ? SLOW_LOOK_MS : LOOK_WITHOUT_WATCH_MS);
  return () => {
    unwatch?.();
    clearInterval(timer);
  };
}
