import { readFileSync } from "node:fs";
import type { StoreDatabase } from "./database.ts";
import type { Content, LeftOut, Output, Result, Stream } from "./job.ts";

export interface StoredOutput {
  readonly attempt: number;
  readonly stream: Stream;
  readonly size: number;
  readonly path: string | null;
  readonly content: Uint8Array | null;
  /** See {@link LeftOut}; null: all was kept. */
  readonly leftFrom: number | null;
  readonly leftTo: number | null;
  /** Marks of the times; both null: none were kept. */
  readonly timesPath: string | null;
  readonly times: Uint8Array | null;
}

export interface StoredResult {
  readonly id: string;
  readonly type: string;
  readonly size: number;
  readonly path: string | null;
  readonly content: Uint8Array | null;
}

const ADD_OUTPUT = `INSERT OR REPLACE INTO
  outputs(job, attempt, stream, size, path, content, left_from, left_to, times_path, times)
  VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const OUTPUT_COLUMNS = `attempt, stream, size, path, content, left_from AS leftFrom, left_to AS leftTo,
  times_path AS timesPath, times`;
const ADD_RESULT = "INSERT OR REPLACE INTO results(job, id, type, size, path, content) VALUES(?, ?, ?, ?, ?, ?)";

/** What attempts wrote and what they gave as results. Writing is to be done within a transaction. */
export class Outputs {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** An attempt has outputs of its own, and the job the results of its last attempt. */
  replace(job: number, attempt: number, outputs: readonly Output[], results: readonly Result[]): void {
    this.add(job, attempt, outputs);
    if (attempt > 1) this.#database.run("DELETE FROM results WHERE job = ?", job);
    for (const { id, type, content } of results) {
      this.#database.run(ADD_RESULT, job, id, type, sizeOf(content), ...place(content));
    }
  }

  add(job: number, attempt: number, outputs: readonly Output[]): void {
    for (const { stream, content, leftOut, times } of outputs) {
      const left = [leftOut?.start ?? null, leftOut?.end ?? null];
      const timesPlace = times ? place(times) : [null, null];
      const row = [job, attempt, stream, sizeOf(content), ...place(content), ...left, ...timesPlace];
      this.#database.run(ADD_OUTPUT, ...row);
    }
  }

  outputs(job: number): StoredOutput[] {
    return this.#database.all<StoredOutput>(
      `SELECT ${OUTPUT_COLUMNS} FROM outputs WHERE job = ? ORDER BY attempt, stream`,
      job,
    );
  }

  /** What is kept of an attempt's output, without the bytes; `size` does not count what was left out. */
  kept(job: number, attempt: number): Pick<StoredOutput, "stream" | "size">[] {
    return this.#database.all(
      `SELECT stream, size - coalesce(left_to - left_from, 0) AS size FROM outputs
        WHERE job = ? AND attempt = ? ORDER BY stream`,
      job,
      attempt,
    );
  }

  /** The results without their bytes. */
  listed(job: number): Pick<StoredResult, "id" | "type" | "size">[] {
    return this.#database.all("SELECT id, type, size FROM results WHERE job = ? ORDER BY id", job);
  }

  results(job: number): StoredResult[] {
    return this.#database.all<StoredResult>(
      "SELECT id, type, size, path, content FROM results WHERE job = ? ORDER BY id",
      job,
    );
  }
}

export function leftOutOf({ leftFrom, leftTo }: StoredOutput): LeftOut | null {
  return leftFrom === null || leftTo === null ? null : { start: leftFrom, end: leftTo };
}

/** The bytes, wherever they are. */
export function bytesOf(stored: { readonly path: string | null; readonly content: Uint8Array | null }): Uint8Array {
  if (stored.content !== null) return stored.content;
  return stored.path === null ? new Uint8Array() : readFileSync(stored.path);
}

function sizeOf(content: Content): number {
  return content.kind === "inline" ? content.bytes.length : content.size;
}

function place(content: Content): [path: string | null, bytes: Uint8Array | null] {
  return content.kind === "inline" ? [null, content.bytes] : [content.path, null];
}
