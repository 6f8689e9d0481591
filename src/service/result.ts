import { basename } from "node:path";
import type { Job } from "../store/job.ts";
import { resultCalled, type FoundResult } from "../uws/results.ts";
import { readRange, type ByteRange } from "./byte-range.ts";
import type { Exchange } from "./ports.ts";
import { notFound, Refusal } from "./refusal.ts";
import { StoredFile } from "./stored-file.ts";

/** What a job calls a media type goes into a header only if it is one. */
const MEDIA_TYPE = /^[\w.+!#$&^-]+\/[\w.+!#$&^-]+(?:;\s*[\w-]+=[\w.:-]+)*$/;
/** Asked for anew each time, by its tag, which is that of these very bytes: nobody on the way may pack them. */
const CACHING = "private, no-cache, no-transform";
const UNKNOWN_TYPE = "application/octet-stream";

/** The bytes of a result, or of what the job wrote: all, the range that is asked for, or none where they are known. */
export function answerResult(exchange: Exchange, job: Job, id: string): Response {
  const found = resultCalled(exchange.store, job, id);
  if (!found) throw notFound();
  const bytes = openBytes(exchange, job, found);
  // An attempt has results of its own, which do not change any more.
  const tag = `"${job.attempts}-${bytes.size.toString(36)}"`;
  return answerBytes(exchange, bytes, tag, found);
}

/** The bytes of a file that came with the job, to be had again by whoever gave them. */
export function answerUpload(exchange: Exchange, job: Job, path: string, type: string): Response {
  const bytes = openBytes(exchange, job, { path, content: null, type });
  // Other bytes come under another name.
  return answerBytes(exchange, bytes, `"${basename(path).slice(0, 10)}-${bytes.size.toString(36)}"`, { type });
}

function answerBytes(
  { request }: Exchange,
  bytes: OpenBytes,
  tag: string,
  { type }: Pick<FoundResult, "type">,
): Response {
  const headers = { ETag: tag, "Accept-Ranges": "bytes", "Cache-Control": CACHING, ...typeOf(type) };
  if (namesTag(request.headers.get("if-none-match"), tag)) {
    bytes.close();
    return new Response(null, { status: 304, headers });
  }
  const range =
    request.method === "GET" && isOfThis(request, tag) ? readRange(request.headers.get("range"), bytes.size) : null;
  if (range === "unsatisfiable") {
    bytes.close();
    throw new Refusal(416, "The range is not within it.", { "Content-Range": `bytes */${bytes.size}` });
  }
  const { start, end } = range ?? { start: 0, end: bytes.size };
  const part = range && { "Content-Range": `bytes ${start}-${end - 1}/${bytes.size}` };
  return new Response(bytes.body({ start, end }), {
    status: range ? 206 : 200,
    headers: { ...headers, "Content-Length": String(end - start), ...part },
  });
}

function typeOf(type: string): { readonly "Content-Type": string } {
  const known = MEDIA_TYPE.test(type) ? type : UNKNOWN_TYPE;
  return { "Content-Type": known === "text/plain" ? "text/plain; charset=utf-8" : known };
}

/** Bytes with a size, wherever they are. To be closed, or given away as a body. */
interface OpenBytes {
  readonly size: number;
  body(range: ByteRange): ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>;
  close(): void;
}

function openBytes({ store }: Exchange, job: Job, { path, content, leftOut = null }: FoundResult): OpenBytes {
  if (path === null) {
    const bytes = new Uint8Array(content ?? []);
    return { size: bytes.length, body: ({ start, end }) => bytes.subarray(start, end), close: () => {} };
  }
  const file = StoredFile.open(path, store.location.job(job.id), leftOut);
  if (!file) throw notFound();
  return { size: file.size, body: (range) => file.stream(range), close: () => file.close() };
}

const namesTag = (header: string | null, tag: string): boolean =>
  header?.split(",").some((one) => [tag, "*"].includes(one.trim().replace(/^W\//, ""))) ?? false;

/** A range is of what the client has the rest of, or it is all. */
function isOfThis({ headers }: Request, tag: string): boolean {
  const wanted = headers.get("if-range");
  return wanted === null || wanted.trim() === tag;
}
