import { formatDuration } from "../config/durations.ts";
import type { JobTimes } from "../store/overview.ts";
import { across, frame, inPercent, PLOT, type Activity, type Level } from "./chart-frame.ts";
import { html, type Html } from "./html.ts";
import { counted } from "./words.ts";

const MOST_DOTS = 400;
/** Seconds, and what they are called. */
const NAMES = [
  [0.001, "1 ms"],
  [0.01, "10 ms"],
  [0.1, "0.1 s"],
  [1, "1 s"],
  [10, "10 s"],
  [60, "1 min"],
  [600, "10 min"],
  [3600, "1 h"],
  [36_000, "10 h"],
  [360_000, "100 h"],
] as const;
/** Pixels between two of them, for both to be read. */
const APART = 20;
const LEAST_SECONDS = 0.001;

interface Ended {
  readonly job: JobTimes;
  readonly at: number;
  readonly seconds: number;
}

/** How long jobs took, each where it ended. */
export function durations({ jobs, isCut, now, pathOf }: Activity): Html {
  const all = jobs.flatMap(endOf);
  const shown = thinned(all);
  const { levels, yOf } = axisOf(shown);
  const dots = shown.map(
    ({ job, at, seconds }) =>
      html`<a href="${pathOf(job)}" tabindex="-1"
        ><circle
          class="dot ${job.phase.toLowerCase()}"
          cx="${inPercent(across(at, now))}"
          cy="${yOf(seconds).toFixed(1)}"
          ><title>${job.definition || job.id}: ${job.phase} after ${formatDuration(seconds * 1000)}</title></circle
        ></a
      >`,
  );
  const some = isCut || shown.length < all.length ? ` (${shown.length} of them)` : "";
  return html`<figure class="chart">
    <figcaption>How long jobs took${some}, by when they ended</figcaption>
    ${frame({ height: PLOT, label: `Durations of ${counted(shown.length, "job")}`, levels }, dots)}
  </figure>`;
}

function endOf(job: JobTimes): Ended[] {
  const { startedAt, endedAt } = job;
  if (startedAt === null || endedAt === null) return [];
  return [{ job, at: endedAt, seconds: Math.max(LEAST_SECONDS, (endedAt - startedAt) / 1000) }];
}

/** Every so many of them, where they are too many. */
function thinned(all: readonly Ended[]): readonly Ended[] {
  const step = Math.ceil(all.length / MOST_DOTS);
  return step <= 1 ? all : all.filter((_, index) => index % step === 0);
}

/** Seconds by their logarithm. */
function axisOf(shown: readonly Ended[]): { levels: Level[]; yOf: (seconds: number) => number } {
  const all = shown.map(({ seconds }) => seconds);
  const top = Math.max(1, ...all) * 1.6;
  const bottom = Math.min(1, ...all) / 1.6;
  const yOf = (seconds: number): number => PLOT - (Math.log(seconds / bottom) / Math.log(top / bottom)) * (PLOT - 8);
  const levels: Level[] = [];
  for (const [seconds, text] of NAMES) {
    const isWithin = seconds > bottom && seconds < top;
    const last = levels.at(-1);
    if (isWithin && (!last || last.y - yOf(seconds) >= APART)) levels.push({ y: yOf(seconds), text });
  }
  return { levels, yOf };
}
