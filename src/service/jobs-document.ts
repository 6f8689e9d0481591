import type { Filter, JobRef } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { jobrefXml, jobsFrame } from "../uws/job-xml.ts";

/** Jobs that are read from the store at once. */
const PAGE = 500;

/**
 * The document of a job list; one that is longer than a page, a page at a time: however long it is, nobody else waits for
 * it, and no memory fills up.
 */
export function jobsDocument(
  store: Pick<Store, "jobs">,
  filter: Filter,
  url: string,
): string | ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let left = filter.last ?? Number.POSITIVE_INFINITY;
  let below: JobRef | undefined;
  const next = (): string => {
    const page = store.jobs.refs({ ...filter, last: Math.min(left, PAGE), ...(below && { below }) });
    const start = below ? "" : jobsFrame.start;
    below = page.at(-1);
    left = page.length < PAGE ? 0 : left - page.length;
    return start + page.map((job) => jobrefXml(job, url)).join("") + (left === 0 ? jobsFrame.end : "");
  };
  // The first is read now: what goes wrong with it is still an answer.
  const first = next();
  if (left === 0) return first;
  let text: string | null = first;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(encoder.encode(text ?? next()));
        text = null;
        if (left === 0) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
