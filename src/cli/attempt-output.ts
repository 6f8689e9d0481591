import { readFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, nothingThere } from "../errors.ts";
import type { Attempt } from "../store/attempt.ts";
import type { Job } from "../store/job.ts";
import type { StoredOutput } from "../store/outputs.ts";
import type { Store } from "../store/store.ts";
import { bytesSource, tailOffset, withFile, type ByteSource } from "./byte-source.ts";

/** The files of a running attempt: both streams or stdout in the one, stderr in the other where they are apart. */
export type Channel = "output" | "errors";

const CHUNK = 256 * 1024;

/** Reads what an attempt writes, from where the last look ended; during the attempt, and after it. */
export class AttemptOutput {
  readonly #store: Store;
  readonly #job: Job;
  readonly #number: number;
  readonly #offsets: Record<Channel, number> = { output: 0, errors: 0 };

  constructor(store: Store, job: Job, number: number) {
    this.#store = store;
    this.#job = job;
    this.#number = number;
  }

  /** Passes over all but the last lines. */
  skipToTail(channel: Channel, lines: number): void {
    this.#offsets[channel] = this.#look(channel, (source) => tailOffset(source, lines));
  }

  /** The next bytes; empty when there are none yet, or none any more. */
  next(channel: Channel): Uint8Array {
    const bytes = this.#look(channel, (source) => source.read(this.#offsets[channel], CHUNK));
    this.#offsets[channel] += bytes.length;
    return bytes;
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
  #look<T>(channel: Channel, use: (source: ByteSource) => T): T {
    const attempt = this.#attempt();
    if (attempt.endedAt !== null) return this.#lookAtStored(channel, use);
    if (!this.#isIn(attempt.directory)) return use(bytesSource(new Uint8Array()));
    const value = withFile(join(attempt.directory, channel), use);
    return this.hasEnded() ? this.#lookAtStored(channel, use) : value;
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

  #lookAtStored<T>(channel: Channel, use: (source: ByteSource) => T): T {
    const stored = this.#store.outputs
      .outputs(this.#job.seq)
      .find(({ attempt, stream }) => attempt === this.#number && channelOf(stream) === channel);
    if (stored?.path) return withFile(stored.path, use);
    return use(bytesSource(stored?.content ?? new Uint8Array()));
  }
}

const channelOf = (stream: StoredOutput["stream"]): Channel => (stream === "stderr" ? "errors" : "output");
