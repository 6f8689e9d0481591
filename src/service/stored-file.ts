import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, sep } from "node:path";
import { codeOf } from "../errors.ts";
import type { LeftOut } from "../store/job.ts";
import type { ByteRange } from "./byte-range.ts";

const CHUNK = 256 * 1024;

/** A file that a job left, without what was left out of its middle. To be closed. */
export class StoredFile {
  /** Of what is there. */
  readonly size: number;
  readonly #descriptor: number;
  readonly #gap: LeftOut;

  private constructor(descriptor: number, size: number, gap: LeftOut) {
    this.#descriptor = descriptor;
    this.#gap = gap;
    this.size = size - (gap.end - gap.start);
  }

  /** Null: it is not there, or is not a file within the job's directory: a job may have put a link in its place. */
  static open(path: string, directory: string, leftOut: LeftOut | null): StoredFile | null {
    try {
      if (!isWithin(realpathSync(dirname(path)), realpathSync(directory))) return null;
      // Nobody may have to wait for a pipe.
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      const stat = fstatSync(descriptor);
      if (stat.isFile()) return new StoredFile(descriptor, stat.size, leftOut ?? { start: 0, end: 0 });
      closeSync(descriptor);
      return null;
    } catch (error) {
      if (["ENOENT", "ELOOP", "ENOTDIR", "ENXIO"].includes(codeOf(error) ?? "")) return null;
      throw error;
    }
  }

  /** These bytes in pieces, as fast as they are taken; the file is closed when they end, or nobody wants them any more. */
  stream({ start, end }: ByteRange): ReadableStream<Uint8Array> {
    let at = start;
    return new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          try {
            const bytes = this.#read(at, Math.min(CHUNK, end - at));
            at += bytes.length;
            // Whoever reads must see that it is not whole.
            if (bytes.length === 0 && at < end) throw new Error("the file of a result has become shorter");
            if (bytes.length > 0) controller.enqueue(bytes);
            if (at < end) return;
            controller.close();
          } catch (error) {
            controller.error(error);
          }
          this.close();
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    );
  }

  #read(at: number, length: number): Uint8Array<ArrayBuffer> {
    const isBefore = at < this.#gap.start;
    const most = isBefore ? Math.min(length, this.#gap.start - at) : length;
    const bytes = new Uint8Array(most);
    const offset = isBefore ? at : at + (this.#gap.end - this.#gap.start);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, most, offset));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Not for a directory beside it whose name begins the same. */
const isWithin = (directory: string, outer: string): boolean =>
  directory === outer || directory.startsWith(outer + sep);
