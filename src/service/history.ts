import type { Clock } from "../clock.ts";
import { STRETCH_MS, stretchesUntil, type Made } from "../page/chart-frame.ts";
import type { JobTimes, MadeCount, Overview, Which } from "../store/overview.ts";
import { isFinal } from "../store/phases.ts";

/** The last day, as far as it is plotted. */
export interface LastDay {
  /** The oldest first. */
  readonly stretches: readonly Made[];
  /** The newest first. */
  readonly jobs: readonly JobTimes[];
  /** There were more: these are some of each stretch. */
  readonly isCut: boolean;
}

/** Up to so many, all jobs of the day are read; else of each stretch so many. */
const MOST_JOBS = 1500;
const OF_EACH = 25;
/** What has ended does not change, save that somebody deletes it. */
const KEPT_MS = 600_000;
/** Not all that is kept is read anew in one moment. */
const APART_MS = 6000;
const MOST_KEPT = 50;

interface Kept {
  readonly counts: readonly MadeCount[];
  readonly sum: number;
  readonly until: number;
  jobs: readonly JobTimes[];
}

/** What the jobs of the last day did. Of the stretches in which all have ended it is remembered. */
export class History {
  readonly #overview: Pick<Overview, "made" | "newest">;
  readonly #clock: Pick<Clock, "now">;
  readonly #kept = new Map<string, Map<number, Kept>>();

  constructor(overview: Pick<Overview, "made" | "newest">, clock: Pick<Clock, "now">) {
    this.#overview = overview;
    this.#clock = clock;
  }

  lastDay(which: Which): LastDay {
    const now = this.#clock.now();
    const day = this.#read(which, now);
    const sum = [...day.values()].reduce((all, one) => all + one.sum, 0);
    const isCut = sum > MOST_JOBS;
    for (const [from, kept] of day) this.#readJobs(kept, from, which, isCut ? OF_EACH : MOST_JOBS);
    const all = [...day];
    return {
      stretches: all.map(([from, { counts }]) => ({ from, counts })),
      jobs: all.toReversed().flatMap(([, { jobs }]) => (isCut ? jobs.slice(0, OF_EACH) : jobs)),
      isCut,
    };
  }

  #read(which: Which, now: number): Map<number, Kept> {
    const key = JSON.stringify([which.owner, which.definition ?? "", which.definition === undefined]);
    const before = this.#kept.get(key);
    const day = new Map<number, Kept>();
    stretchesUntil(now).forEach((from, index) => {
      const known = before?.get(from);
      day.set(from, known && known.until > now ? known : this.#readStretch(from, index, which, now));
    });
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(key, day);
    return day;
  }

  #readStretch(from: number, index: number, which: Which, now: number): Kept {
    const to = from + STRETCH_MS;
    const counts = this.#overview.made({ from, to }, which);
    const isOver = to < now && counts.every(({ phase }) => isFinal(phase));
    const sum = counts.reduce((all, { jobs }) => all + jobs, 0);
    return { counts, sum, until: isOver ? now + KEPT_MS + index * APART_MS : now, jobs: [] };
  }

  #readJobs(kept: Kept, from: number, which: Which, most: number): void {
    if (kept.jobs.length >= Math.min(kept.sum, most)) return;
    kept.jobs = this.#overview.newest({ from, to: from + STRETCH_MS }, which, most);
  }
}
