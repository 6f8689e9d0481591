import type { JobTimes, MadeCount } from "../store/overview.ts";
import { html, type Html, type Part } from "./html.ts";

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** What columns of plots stand for. */
export const STRETCH_MS = HOUR_MS / 4;

/** What became of the jobs that were made in a stretch of time. */
export interface Made {
  /** When it begins; it is {@link STRETCH_MS} long. */
  readonly from: number;
  readonly counts: readonly MadeCount[];
}

/** What is shown of the last day. */
export interface Activity {
  /** All of the day, the oldest first. */
  readonly stretches: readonly Made[];
  /** The newest first. */
  readonly jobs: readonly JobTimes[];
  /** There were more than are given; of each stretch there are some. */
  readonly isCut: boolean;
  /** Jobs that wait, and were made before all of these. */
  readonly waitingBefore: number;
  readonly now: number;
  /** The path of a job. */
  readonly pathOf: (job: JobTimes) => string;
}

const STRETCHES = DAY_MS / STRETCH_MS;

/** When the stretches begin that make up a day, of which the last is that of `now`. */
export function stretchesUntil(now: number): number[] {
  const last = Math.floor(now / STRETCH_MS);
  return Array.from({ length: STRETCHES }, (_, index) => (last - STRETCHES + 1 + index) * STRETCH_MS);
}

// There is no viewBox where there is text: across, all is in per cent, so that nothing is stretched on any screen.
export const PLOT = 140;
const AXIS = 22;

/** The end of the stretch of `now`: what has not changed looks the same for so long. */
const rightEdge = (now: number): number => (Math.floor(now / STRETCH_MS) + 1) * STRETCH_MS;
/** Per cent from the left, where `now` is at the right. */
export const across = (at: number, now: number): number => (Math.max(0, DAY_MS - (rightEdge(now) - at)) / DAY_MS) * 100;
export const inPercent = (share: number): string => `${share.toFixed(2)}%`;

/** A height that has a name. */
export interface Level {
  readonly y: number;
  readonly text: string;
}

export interface Frame {
  readonly height: number;
  /** What is seen, for those who do not see it. */
  readonly label: string;
  readonly levels?: readonly Level[];
}

/** The axes of a day, with what is plotted in them. */
export function frame({ height, label, levels = [] }: Frame, ...content: readonly Part[]): Html {
  const plot = html`<svg width="100%" height="${height + AXIS}" role="img" aria-label="${label}">
    ${grid(height)}${levels.map(line)}${content}
  </svg>`;
  if (levels.length === 0) return plot;
  return html`<div class="plot">
    <svg class="scale" width="100%" height="${height + AXIS}" aria-hidden="true">${levels.map(name)}</svg>
    ${plot}
  </div>`;
}

const line = ({ y }: Level): Html =>
  html`<line class="grid" x1="0" x2="100%" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" />`;

const name = ({ y, text }: Level): Html =>
  html`<text x="100%" dx="-8" y="${(y + 4).toFixed(1)}" text-anchor="end">${text}</text>`;

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
          ${anchor === "middle" && x !== "50%" && html` class="between"`}
          >${text}</text
        >`,
  );

/** Pixels that are kept free at the top. */
const HEADROOM = 8;

/** An axis of numbers from 0 to a round one that is no smaller than `most`. */
export function countsAxis(most: number): { levels: Level[]; heightOf: (count: number) => number } {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  const top = ([1, 2, 4, 5, 10].find((factor) => factor * power >= most) ?? 10) * power;
  const heightOf = (count: number): number => (count / top) * (PLOT - HEADROOM);
  const levels = [0, top / 2, top].filter((one) => Number.isInteger(one));
  return { levels: levels.map((one) => ({ y: PLOT - heightOf(one), text: one.toLocaleString("en") })), heightOf };
}
