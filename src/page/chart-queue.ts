import type { JobTimes } from "../store/overview.ts";
import type { Phase } from "../store/phases.ts";
import { across, countsAxis, frame, inPercent, PLOT, STRETCH_MS, type Activity, type Made } from "./chart-frame.ts";
import { html, type Html } from "./html.ts";
import { counted, utc } from "./words.ts";

/** How many jobs waited. */
export function queueLength(activity: Activity): Html {
  const { stretches, jobs, isCut, waitingBefore, now } = activity;
  const before = waitingBefore;
  const waited = isCut
    ? waitingAfterEach(stretches, before)
    : waitingInEach(stretches, jobs).map((one) => one + before);
  const most = Math.max(0, ...waited);
  const { levels, heightOf } = countsAxis(most);
  const columns = waited.map((waiting, index) => {
    const from = stretches[index]?.from ?? 0;
    const x = across(from, now);
    return (
      waiting > 0 &&
      html`<rect
        class="column"
        x="${inPercent(x)}"
        width="${inPercent(across(from + STRETCH_MS, now) - x)}"
        y="${(PLOT - heightOf(waiting)).toFixed(1)}"
        height="${heightOf(waiting).toFixed(1)}"
        ><title>${utc(from)}: ${counted(waiting, "job")}</title></rect
      >`
    );
  });
  const label = `At most ${counted(most, "job")} waited at once`;
  return html`<figure class="chart">
    <figcaption>
      ${isCut ? "Jobs waiting, at the end of each quarter of an hour" : "Jobs waiting, the most in each quarter of an hour"}
    </figcaption>
    ${frame({ height: PLOT, label, levels }, columns)}
  </figure>`;
}

/** Those are not in the queue. */
const isQueued = (phase: Phase): boolean => phase !== "PENDING" && phase !== "HELD";

/** How many waited at the end of each stretch, of those that were made in one of them. */
export function waitingAfterEach(stretches: readonly Made[], before = 0): number[] {
  const changes = Array.from({ length: stretches.length + 1 }, () => 0);
  const add = (index: number, by: number): void => {
    changes[Math.min(index, stretches.length)] = (changes[Math.min(index, stretches.length)] ?? 0) + by;
  };
  stretches.forEach(({ counts }, index) => {
    for (const { phase, waited, jobs } of counts) {
      if (!isQueued(phase)) continue;
      add(index, jobs);
      if (waited !== null) add(index + waited, -jobs);
    }
  });
  let waiting = before;
  return stretches.map((_, index) => (waiting += changes[index] ?? 0));
}

/** The most jobs that waited at once in each stretch, where all jobs are known. */
export function waitingInEach(stretches: readonly Made[], jobs: readonly JobTimes[]): number[] {
  const begin = stretches[0]?.from ?? 0;
  const last = stretches.length - 1;
  const changes = jobs.flatMap(({ phase, createdAt, startedAt, endedAt }) => {
    if (!isQueued(phase)) return [];
    const until = startedAt ?? endedAt;
    const came = { at: createdAt, by: 1 };
    return until === null ? [came] : [came, { at: until, by: -1 }];
  });
  // What comes and goes at once did not wait.
  changes.sort((one, other) => one.at - other.at || one.by - other.by);
  const most = stretches.map(() => 0);
  let [waiting, done] = [0, 0];
  const fill = (upTo: number): void => {
    for (; done <= upTo; done += 1) most[done] = Math.max(most[done] ?? 0, waiting);
    done = Math.max(0, Math.min(upTo, last));
  };
  for (const { at, by } of changes) {
    fill(Math.min(last, Math.max(0, Math.floor((at - begin) / STRETCH_MS))));
    waiting += by;
    most[done] = Math.max(most[done] ?? 0, waiting);
  }
  fill(last);
  return most;
}
