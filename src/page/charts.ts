import { formatDuration } from "../config/durations.ts";
import type { JobTimes } from "../store/overview.ts";
import { html, type Html, type Part } from "./html.ts";
import { counted, utc } from "./words.ts";

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** What is shown of the last day. */
export interface Activity {
  /** The newest first. */
  readonly jobs: readonly JobTimes[];
  /** There were more than are given. */
  readonly isCut: boolean;
  readonly now: number;
  /** The path of a job. */
  readonly pathOf: (job: JobTimes) => string;
}

// There is no viewBox: across, all is in per cent, so that neither text nor lines are stretched on any screen.
const LANE = 16;
const MOST_LANES = 14;
const MOST_BARS = 400;
const PLOT = 132;
const AXIS = 22;

const across = (at: number, now: number): number => (Math.max(0, DAY_MS - (now - at)) / DAY_MS) * 100;
const inPercent = (share: number): string => `${share.toFixed(2)}%`;

/** The jobs of the last day as bars from their start to their end, and plots of the queue and of durations. */
export function activityCharts(activity: Activity): Html {
  return html`<div class="charts">
    <figure class="chart timeline">
      <figcaption>Jobs of the last day${legend()}</figcaption>
      ${timeline(activity)}
    </figure>
    <figure class="chart">
      <figcaption>Waiting jobs</figcaption>
      ${queueLength(activity)}
    </figure>
    <figure class="chart">
      <figcaption>How long jobs took</figcaption>
      ${durations(activity)}
    </figure>
  </div>`;
}

const legend = (): Html =>
  html`<span class="legend"
    >${(["executing", "completed", "error", "aborted"] as const).map(
      (phase) => html`<span class="${phase}"><i aria-hidden="true"></i>${phase}</span>`,
    )}</span
  >`;

const frame = (height: number, label: string, ...content: readonly Part[]): Html =>
  html`<svg width="100%" height="${height + AXIS}" role="img" aria-label="${label}">${grid(height)}${content}</svg>`;

const TICKS = [
  ["0%", "24 h ago", "start"],
  ["25%", "18 h", "middle"],
  ["50%", "12 h", "middle"],
  ["75%", "6 h", "middle"],
  ["100%", "now", "end"],
] as const;

const grid = (height: number): Html[] =>
  TICKS.map(
    ([x, text, anchor]) =>
      html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height}" /><text
          x="${x}"
          y="${height + 16}"
          text-anchor="${anchor}"
          >${text}</text
        >`,
  );

function timeline({ jobs, isCut, now, pathOf }: Activity): Html {
  const begun = jobs.filter(({ startedAt }) => startedAt !== null).slice(0, MOST_BARS);
  const lanes: number[] = [];
  const bars = begun.toReversed().map((job) => {
    const from = across(job.startedAt ?? now, now);
    const width = Math.max(across(job.endedAt ?? now, now) - from, 0.25);
    return bar(job, { x: Math.min(from, 100 - width), width, lane: laneFor(lanes, from, width) }, pathOf(job), now);
  });
  const label = `${counted(begun.length, "job")} that began within the last day`;
  const note = isCut || begun.length === MOST_BARS ? html`<p class="note">Only the newest are shown.</p>` : null;
  return html`${frame(Math.max(4, Math.min(lanes.length, MOST_LANES)) * LANE, label, bars)}${note}`;
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

function bar(job: JobTimes, { x, width, lane }: Place, path: string, now: number): Html {
  const lasted = job.startedAt === null ? "" : formatDuration(Math.max(0, (job.endedAt ?? now) - job.startedAt));
  const title = `${job.definition || job.id}: ${job.phase}, ${job.endedAt === null ? "for " : ""}${lasted}, began ${utc(job.startedAt ?? now)}`;
  return html`<a href="${path}" tabindex="-1"
    ><rect
      class="bar ${job.phase.toLowerCase()}"
      x="${inPercent(x)}"
      width="${inPercent(width)}"
      y="${lane * LANE + 2}"
      height="${LANE - 4}"
      rx="3"
      ><title>${title}</title></rect
    ></a
  >`;
}

const BINS = 96;

/** The most jobs that waited at once, in each quarter of an hour. */
export function waitingPerBin(jobs: readonly JobTimes[], now: number): number[] {
  const begin = now - DAY_MS;
  const changes = jobs.flatMap(({ phase, createdAt, startedAt, endedAt }) => {
    if (phase === "PENDING" || phase === "HELD") return [];
    const until = startedAt ?? endedAt;
    const came = { at: createdAt, by: 1 };
    return until === null ? [came] : [came, { at: until, by: -1 }];
  });
  // What comes and goes at once did not wait.
  changes.sort((one, other) => one.at - other.at || one.by - other.by);
  const most = Array.from({ length: BINS }, () => 0);
  let [waiting, done] = [0, 0];
  const fill = (upTo: number): void => {
    for (; done <= upTo; done += 1) most[done] = Math.max(most[done] ?? 0, waiting);
    done = Math.min(upTo, BINS - 1);
  };
  for (const { at, by } of changes) {
    fill(Math.min(BINS - 1, Math.max(0, Math.floor(((at - begin) / DAY_MS) * BINS))));
    waiting += by;
    most[done] = Math.max(most[done] ?? 0, waiting);
  }
  fill(BINS - 1);
  return most;
}

function queueLength({ jobs, now }: Activity): Html {
  const bins = waitingPerBin(jobs, now);
  const most = Math.max(1, ...bins);
  const columns = bins.map((waiting, index) => {
    const height = (waiting / most) * (PLOT - 20);
    return (
      waiting > 0 &&
      html`<rect
        class="column"
        x="${inPercent((index / BINS) * 100)}"
        width="${inPercent(100 / BINS)}"
        y="${(PLOT - height).toFixed(1)}"
        height="${height.toFixed(1)}"
        ><title>${counted(waiting, "job")} waited</title></rect
      >`
    );
  });
  const label = `At most ${counted(Math.max(...bins), "job")} waited at once`;
  const levels = [{ y: 20, text: most.toLocaleString("en") }];
  return frame(PLOT, label, lines(levels), columns, names(levels));
}

interface Level {
  readonly y: number;
  readonly text: string;
}

const lines = (levels: readonly Level[]): Html[] =>
  levels.map(({ y }) => html`<line class="grid" x1="0" x2="100%" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" />`);

/** Over what is plotted, so that they can be read. */
const names = (levels: readonly Level[]): Html[] =>
  levels.map(({ y, text }) => html`<text class="level" x="2" y="${(y - 5).toFixed(1)}">${text}</text>`);

const MOST_DOTS = 600;
/** Seconds, and what they are called. */
const DURATIONS = [
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

function durations({ jobs, now, pathOf }: Activity): Html {
  const ended = jobs
    .flatMap((job) =>
      job.startedAt === null || job.endedAt === null ? [] : [{ job, at: job.endedAt, ms: job.endedAt - job.startedAt }],
    )
    .slice(0, MOST_DOTS);
  const seconds = ended.map(({ ms }) => Math.max(0.01, ms / 1000));
  const top = Math.max(1, ...seconds) * 1.6;
  const bottom = Math.min(1, ...seconds) / 1.6;
  const height = (value: number): number => PLOT - (Math.log(value / bottom) / Math.log(top / bottom)) * (PLOT - 16);
  const within = DURATIONS.filter(([one]) => one > bottom && one < top).map(([one, text]) => ({
    y: height(one),
    text,
  }));
  const levels = within.filter(({ y }, index) => index === 0 || (within[index - 1]?.y ?? 0) - y >= APART);
  const dots = ended.map(({ job, at, ms }) => {
    const title = `${job.definition || job.id}: ${job.phase} after ${formatDuration(Math.max(0, ms))}`;
    return html`<a href="${pathOf(job)}" tabindex="-1"
      ><circle
        class="dot ${job.phase.toLowerCase()}"
        cx="${inPercent(across(at, now))}"
        cy="${height(Math.max(0.01, ms / 1000)).toFixed(1)}"
        r="3.5"
        ><title>${title}</title></circle
      ></a
    >`;
  });
  return frame(PLOT, `Durations of ${counted(ended.length, "job")}`, lines(levels), dots, names(levels));
}
