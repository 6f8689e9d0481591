import { durations } from "./chart-durations.ts";
import type { Activity } from "./chart-frame.ts";
import { queueLength } from "./chart-queue.ts";
import { timeline } from "./chart-timeline.ts";
import { html, type Html } from "./html.ts";
import { emptiness, section } from "./layout.ts";

/** The last day's jobs: when they ran, how many waited, how long they took. */
export const activitySection = (activity: Activity): Html =>
  section(
    "activity",
    "The last day",
    activity.jobs.length === 0
      ? emptiness("No job was made within the last day.")
      : html`<div class="charts">${timeline(activity)}${queueLength(activity)}${durations(activity)}</div>`,
  );
