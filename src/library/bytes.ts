import { bytesSource, pieceAt, withFile, type ByteSource } from "../store/byte-source.ts";
import type { Job, LeftOut, Output } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { resultCalled } from "../uws/results.ts";

const CHUNK = 256 * 1024;

/** All bytes that were kept under a name; undefined: there are none of that name. */
export function storedBytes(store: Store, job: Job, name: string): Uint8Array | undefined {
  const found = resultCalled(store, job, name);
  if (!found) return undefined;
  const { path, content, leftOut = null } = found;
  const bytes = { kind: "inline", bytes: content ?? new Uint8Array() } as const;
  return outputBytes({ content: path === null ? bytes : { kind: "file", path, size: 0 }, leftOut });
}

/** All that was kept of an output. */
export function outputBytes({
  content,
  leftOut = null,
}: Pick<Output, "content"> & { leftOut?: LeftOut | null }): Uint8Array {
  if (content.kind === "inline") return allOf(bytesSource(content.bytes));
  return withFile(content.path, allOf, () => leftOut);
}

function allOf(source: ByteSource): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let piece = pieceAt(source, 0, CHUNK); piece !== null; piece = pieceAt(source, piece.end, CHUNK)) {
    if (piece.kind === "bytes") parts.push(piece.bytes);
  }
  return new Uint8Array(Buffer.concat(parts));
}
