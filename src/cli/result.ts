import { closeSync, openSync, writeFileSync } from "node:fs";
import { shown, suggestion } from "../config/wording.ts";
import { EXIT, messageOf, nothingThere, unavailable, usageError } from "../errors.ts";
import type { Job } from "../store/job.ts";
import type { Store } from "../store/store.ts";
import { streamCalled, type StoredBytes } from "../uws/results.ts";
import { bytesSource, pieceAt, withFile, type Piece } from "../store/byte-source.ts";
import { withExistingStore } from "./context.ts";
import type { Invocation, Options } from "./invocation.ts";
import { printJson } from "./render/json.ts";
import { screenOf, table } from "./render/table.ts";
import { safe } from "./render/text.ts";
import { byteSize } from "./render/times.ts";
import { print, remark } from "./streams.ts";

const CHUNK = 256 * 1024;

/** `reeve result`: the bytes of a result, or of what the job wrote. */
export async function run({ args: [prefix = "", name], options }: Invocation): Promise<number> {
  return withExistingStore(options, async ({ store }) => {
    const job = store.jobs.byPrefix(prefix);
    if (options.flag("list")) return list(store, job, options);
    if (options.flag("json")) throw usageError("--json is for --list: a result's bytes are given as they are");
    await give(name === undefined ? onlyResult(store, job) : namedResult(store, job, name), options.text("output"));
    return EXIT.done;
  });
}

async function list(store: Store, job: Job, options: Options): Promise<number> {
  const results = store.outputs.results(job.seq);
  if (options.flag("json")) {
    await printJson(results.map(({ id, type, size }) => ({ id, mimeType: type, size })));
  } else if (results.length === 0) {
    remark(noResults(job));
  } else {
    const rows = results.map(({ id, type, size }) => [safe(id), safe(type), byteSize(size)]);
    await print(table(["NAME", "TYPE", "SIZE"], rows, screenOf(options)));
  }
  return EXIT.done;
}

const noResults = ({ id, phase }: Job): string => `job ${id} is ${phase} and has no results`;

function onlyResult(store: Store, job: Job): StoredBytes {
  const results = store.outputs.results(job.seq);
  const chosen = results.length === 1 ? results[0] : results.find(({ id }) => id === "result");
  if (chosen) return chosen;
  if (results.length === 0) throw nothingThere(noResults(job), `\`reeve result ${job.id} log\` gives what it wrote`);
  const names = results.map(({ id }) => safe(id)).join(", ");
  throw usageError(`job ${job.id} has several results: ${names}`, `name one: reeve result ${job.id} NAME`);
}

function namedResult(store: Store, job: Job, name: string): StoredBytes {
  const results = store.outputs.results(job.seq);
  const found = results.find(({ id }) => id === name) ?? streamCalled(store, job, name);
  if (found) return found;
  const names = results.map(({ id }) => id);
  const hint = names.length === 0 ? noResults(job) : `it has ${names.map(safe).join(", ")}`;
  throw nothingThere(`job ${job.id} has no result ${shown(name)}${suggestion(name, names)}`, hint);
}

async function give(stored: StoredBytes, file: string | undefined): Promise<void> {
  if (file === undefined) return pump(stored, print);
  try {
    const descriptor = openSync(file, "w");
    await pump(stored, async (bytes) => writeFileSync(descriptor, bytes));
    closeSync(descriptor);
  } catch (error) {
    throw unavailable(`the result could not be written to ${file}: ${messageOf(error)}`, undefined, error);
  }
}

/** The bytes that are there; of others only a person is told. */
async function pump(stored: StoredBytes, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  for (let piece = readStored(stored, 0); piece !== null; piece = readStored(stored, piece.end)) {
    if (piece.kind === "bytes") await write(piece.bytes);
    else remark(`${byteSize(piece.length)} of its middle were not kept`);
  }
}

function readStored({ path, content, leftOut = null }: StoredBytes, offset: number): Piece | null {
  if (path === null) return pieceAt(bytesSource(content ?? new Uint8Array()), offset, CHUNK);
  return withFile(
    path,
    (source) => pieceAt(source, offset, CHUNK),
    () => leftOut,
  );
}
