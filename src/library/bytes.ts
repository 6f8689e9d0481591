import { bytesSource, pieceAt, withFile, type ByteSource } from "../store/byte-source.ts";
import type { Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { resultCalled } from "../uws/results.ts";

const CHUNK = 256 * 1024;

/** All bytes that were kept under a name; undefined: there are none of that name. */
export function storedBytes(store: Store, job: Job, name: string): Uint8Array | undefined {
  const found = resultCalled(store, job, name);
  if (!found) return undefined;
  const { path, content, leftOut = null } = found;
  if (path === null) return allOf(bytesSource(content ?? new Uint8Array()));
  return withFile(path, allOf, () => leftOut);
}

function allOf(source: ByteSource): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let piece = pieceAt(source, 0, CHUNK); piece !== null; piece = pieceAt(source, piece.end, CHUNK)) {
    if (piece.kind === "bytes") parts.push(piece.bytes);
  }
  return new Uint8Array(Buffer.concat(parts));
}
