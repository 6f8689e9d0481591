import type { Job } from "../store/job.ts";
import type { Filter } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { jobrefXml, jobsFrame } from "../uws/job-xml.ts";

/** Jobs that are read from the store at once. */
const PAGE = 500;

/** The document of a job list, a page at a time: however long it is, nobody else waits for it, and no memory fills up. */
export function jobsStream(store: Pick<Store, "jobs">, filter: Filter, url: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let left = filter.last ?? Number.POSITIVE_INFINITY;
  let below: Job | undefined;
  const next = (): string => {
    const page = store.jobs.list({ ...filter, last: Math.min(left, PAGE), ...(below && { below }) });
    const start = below ? "" : jobsFrame.start;
    below = page.at(-1);
    left = page.length < PAGE ? 0 : left - page.length;
    return start + page.map((job) => jobrefXml(job, url)).join("") + (left === 0 ? jobsFrame.end : "");
  };
  // The first is read now: what goes wrong with it is still an answer.
  let text: string | null = next();
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
