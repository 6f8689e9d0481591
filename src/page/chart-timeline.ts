import { formatDuration } from "../config/durations.ts";
import type { JobTimes } from "../store/overview.ts";
import type { Phase } from "../store/phases.ts";
import { across, countsAxis, frame, inPercent, PLOT, STRETCH_MS, type Activity, type Made } from "./chart-frame.ts";
import { html, type Html, type Part } from "./html.ts";
import { counted, utc } from "./words.ts";

const LANE = 16;
const MOST_LANES = 14;
const MOST_BARS = 300;

/** Jobs as bars from their start to their end; where they are too many for that, how many were made. */
export function timeline(activity: Activity): Html {
  const begun = activity.jobs.filter(({ startedAt }) => startedAt !== null);
  const isMany = activity.isCut || begun.length > MOST_BARS;
  return figure(
    isMany ? "Jobs made, each quarter of an hour" : "Jobs, from their start to their end",
    isMany ? stacks(activity) : bars(begun, activity),
  );
}

const figure = (title: string, content: Html): Html =>
  html`<figure class="chart timeline">
    <figcaption>${title}${legend()}</figcaption>
    ${content}
  </figure>`;

const legend = (): Html =>
  html`<span class="legend"
    >${(["executing", "completed", "error", "aborted", "queued"] as const).map(
      (phase) => html`<span class="${phase}"><i aria-hidden="true"></i>${phase}</span>`,
    )}</span
  >`;

function bars(begun: readonly JobTimes[], { now, pathOf }: Activity): Html {
  const lanes: number[] = [];
  const all = begun.toReversed().map((job) => {
    const from = across(job.startedAt ?? now, now);
    // What runs goes on to the edge.
    const width = Math.max((job.endedAt === null ? 100 : across(job.endedAt, now)) - from, 0.25);
    return bar(job, { x: Math.min(from, 100 - width), width, lane: laneFor(lanes, from, width) }, pathOf(job));
  });
  const label = `${counted(begun.length, "job")} that began within the last day`;
  return frame({ height: Math.max(4, Math.min(lanes.length, MOST_LANES)) * LANE, label }, all);
}

/** The first lane that is free; where all are taken, the last has more than one at a time. */
function laneFor(lanes: number[], from: number, width: number): number {
  const free = lanes.findIndex((end) => end <= from);
  const lane = free >= 0 ? free : Math.min(lanes.length, MOST_LANES - 1);
  lanes[lane] = from + width + 0.1;
  return lane;
}

interface Place {
  readonly x: number;
  readonly width: number;
  readonly lane: number;
}

function bar(job: JobTimes, { x, width, lane }: Place, path: string): Html {
  return html`<a href="${path}" tabindex="-1"
    ><rect
      class="bar ${job.phase.toLowerCase()}"
      x="${inPercent(x)}"
      width="${inPercent(width)}"
      y="${lane * LANE + 2}"
      height="${LANE - 4}"
      rx="3"
      ><title>${titleOf(job)}</title></rect
    ></a
  >`;
}

function titleOf({ definition, id, phase, startedAt, endedAt }: JobTimes): string {
  const began = startedAt === null ? "" : `, began ${utc(startedAt)}`;
  const lasted =
    startedAt === null || endedAt === null ? "" : `, ran ${formatDuration(Math.max(0, endedAt - startedAt))}`;
  return `${definition || id}: ${phase}${began}${lasted}`;
}

/** From the ground up. */
const ORDER: readonly Phase[] = [
  "COMPLETED",
  "ABORTED",
  "ERROR",
  "EXECUTING",
  "SUSPENDED",
  "QUEUED",
  "HELD",
  "PENDING",
  "UNKNOWN",
];

function stacks({ stretches, now }: Activity): Html {
  const sums = stretches.map(({ counts }) => counts.reduce((sum, { jobs }) => sum + jobs, 0));
  const { levels, heightOf } = countsAxis(Math.max(...sums));
  const columns = stretches.map((stretch) => column(stretch, now, heightOf));
  const label = `${counted(
    sums.reduce((sum, one) => sum + one, 0),
    "job",
  )} made within the last day`;
  return frame({ height: PLOT, label, levels }, columns);
}

function column({ from, counts }: Made, now: number, heightOf: (jobs: number) => number): Part {
  const there = ORDER.flatMap((phase) => {
    const jobs = counts.filter((one) => one.phase === phase).reduce((sum, one) => sum + one.jobs, 0);
    return jobs === 0 ? [] : [{ phase, jobs }];
  });
  if (there.length === 0) return null;
  let y = PLOT;
  const parts = there.map(({ phase, jobs }) => {
    const height = heightOf(jobs);
    y -= height;
    return html`<rect class="${phase.toLowerCase()}" y="${y.toFixed(1)}" height="${height.toFixed(1)}" />`;
  });
  const x = across(from, now);
  const width = across(from + STRETCH_MS, now) - x;
  const what = there.map(({ phase, jobs }) => `${jobs.toLocaleString("en")} ${phase.toLowerCase()}`).join(", ");
  return html`<svg class="stack" x="${inPercent(x)}" width="${inPercent(width)}" height="${PLOT}">
    <title>${utc(from)}: ${what}</title>
    ${parts}
  </svg>`;
}
