import type { Job, LeftOut, Stream } from "../store/job.ts";
import { leftOutOf, type StoredResult } from "../store/outputs.ts";
import type { Store } from "../store/store.ts";

/** A result as a list has it: by its own, and by what the job wrote. */
export type ListedResult = Pick<StoredResult, "id" | "type" | "size">;

/** Where the bytes of a result are. */
export interface StoredBytes extends Pick<StoredResult, "path" | "content"> {
  readonly leftOut?: LeftOut | null;
}

/** A result with its bytes. */
export interface FoundResult extends StoredBytes {
  readonly type: string;
}

/** The streams that are shown as results. */
const STREAMS: readonly Stream[] = ["stdout", "stderr", "log"];
const STREAM_TYPE = "text/plain";

/** What the last attempt gave, then what it wrote, where that is anything: clients without a choice take the first. */
export function listResults(
  store: Store,
  job: Job,
  named: readonly ListedResult[] = store.outputs.listed(job.seq),
): ListedResult[] {
  if (job.attempts === 0) return [];
  const kept = store.outputs.kept(job.seq, job.attempts);
  const streams = STREAMS.flatMap((stream) => kept.filter((one) => one.stream === stream));
  return [...named, ...streams.map(({ stream, size }) => ({ id: stream, type: STREAM_TYPE, size }))];
}

/** The result of that id, or what the job wrote under that name; undefined: there is none. */
export function resultCalled(store: Store, job: Job, id: string): FoundResult | undefined {
  // An id may hold half a surrogate pair, which no address can.
  const named = store.outputs.results(job.seq).find((one) => one.id === id || one.id.toWellFormed() === id);
  if (named) return named;
  const stream = streamCalled(store, job, id);
  return stream && { ...stream, type: STREAM_TYPE };
}

/** What the last attempt wrote. Of a stream that exists nothing is kept when nothing was written. */
export function streamCalled(store: Store, job: Job, name: string): StoredBytes | undefined {
  const stream = STREAMS.find((one) => one === name);
  if (stream === undefined) return undefined;
  const ofLast = store.outputs.outputs(job.seq).filter(({ attempt }) => attempt === job.attempts);
  const kept = ofLast.filter((one) => one.stream !== "exit handler");
  const hasOthers = kept.some((one) => (one.stream === "log") !== (stream === "log"));
  const nothing = job.endedAt === null || hasOthers ? undefined : { path: null, content: new Uint8Array() };
  const found = kept.find((one) => one.stream === stream);
  return found ? { ...found, leftOut: leftOutOf(found) } : nothing;
}
