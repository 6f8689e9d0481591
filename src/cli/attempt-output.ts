import { readFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, nothingThere } from "../errors.ts";
import { readCut } from "../process/output-cut.ts";
import type { Attempt } from "../store/attempt.ts";
import type { Job } from "../store/job.ts";
import { leftOutOf, type StoredOutput } from "../store/outputs.ts";
import type { Store } from "../store/store.ts";
import { handlerDirectory } from "../worker/launch.ts";
import { bytesSource, pieceAt, tailOffset, withFile, type ByteSource, type Piece } from "../store/byte-source.ts";

/**
 * The files of a running attempt (both streams, or stdout, in the one, stderr in the other where they are apart), and
 * what its exit handler wrote.
 */
export type Channel = "output" | "errors" | "exit handler";

const CHUNK = 256 * 1024;

/** What an attempt writes; to be read during the attempt, and after it. */
export class AttemptOutput {
  readonly #store: Store;
  readonly #job: Job;
  readonly #number: number;

  constructor(store: Store, job: Job, number: number) {
    this.#store = store;
    this.#job = job;
    this.#number = number;
  }

  /** Where the last so many lines begin. */
  tail(channel: Channel, lines: number): number {
    return this.#look(channel, (source) => tailOffset(source, lines));
  }

  /** What comes at an offset; null when that is nothing yet, or nothing any more. */
  at(channel: Channel, offset: number): Piece | null {
    return this.#look(channel, (source) => pieceAt(source, offset, CHUNK));
  }

  /** At most so many bytes from its end. */
  end(channel: Channel, most: number): { readonly bytes: Uint8Array; readonly isCut: boolean } {
    return this.#look(channel, (source) => {
      const { start, end } = source.leftOut() ?? { start: 0, end: 0 };
      const from = Math.max(source.size - most, end, 0);
      return { bytes: source.read(from, most), isCut: from > 0 || end > start };
    });
  }

  /** Marks of when it was written. */
  times(channel: Channel, offset: number, length: number): Uint8Array {
    return this.#look(channel, (source) => source.read(offset, length), "times");
  }

  hasEnded(): boolean {
    return this.#attempt().endedAt !== null;
  }

  #attempt(): Attempt {
    const attempt = this.#store.attempts.one(this.#job.seq, this.#number);
    if (attempt) return attempt;
    throw nothingThere(`job ${this.#job.id} was deleted while its output was read`);
  }

  /**
   * A worker uses the same files for one job after another. So what was read counts only if the attempt was still
   * running after that; else it is looked for where it is kept.
   */
  #look<T>(channel: Channel, use: (source: ByteSource) => T, what: "output" | "times" = "output"): T {
    const stored = what === "output" ? storedOutput : storedTimes;
    const attempt = this.#attempt();
    if (attempt.endedAt !== null) return stored(this.#stored(channel), use);
    const directory = channel === "exit handler" ? handlerDirectory(attempt.directory) : attempt.directory;
    if (!this.#isIn(directory)) return use(bytesSource(new Uint8Array()));
    const path = join(directory, channel === "errors" ? "errors" : "output");
    const value = what === "output" ? withFile(path, use, () => readCut(path)) : withFile(`${path}.times`, use);
    return this.hasEnded() ? stored(this.#stored(channel), use) : value;
  }

  /** Until the files are made ready for an attempt, what is in them is of the one before. */
  #isIn(directory: string): boolean {
    try {
      const identity = readFileSync(join(directory, "identity"), "utf8");
      return identity.startsWith(`${this.#job.id} ${this.#number} `);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  #stored(channel: Channel): StoredOutput | undefined {
    return this.#store.outputs
      .outputs(this.#job.seq)
      .find(({ attempt, stream }) => attempt === this.#number && channelOf(stream) === channel);
  }
}

function channelOf(stream: StoredOutput["stream"]): Channel {
  if (stream === "exit handler") return stream;
  return stream === "stderr" ? "errors" : "output";
}

function storedOutput<T>(stored: StoredOutput | undefined, use: (source: ByteSource) => T): T {
  if (stored?.path) return withFile(stored.path, use, () => leftOutOf(stored));
  return use(bytesSource(stored?.content ?? new Uint8Array()));
}

function storedTimes<T>(stored: StoredOutput | undefined, use: (source: ByteSource) => T): T {
  if (stored?.timesPath) return withFile(stored.timesPath, use);
  return use(bytesSource(stored?.times ?? new Uint8Array()));
}
