import { begunAt, type RunningJob, type Snapshot } from "./snapshot.ts";

/** Milliseconds over which what is counted is made a rate. */
const WINDOW_MS = 5000;
/** Processor time is told in hundredths of a second: of a shorter span nothing can be said. */
const SHORTEST_MS = 900;

interface Sample {
  readonly at: number;
  readonly ended: number;
  readonly cpuSeconds: ReadonlyMap<string, number>;
}

/** How fast things go, by what earlier snapshots showed. */
export class Pace {
  #samples: readonly Sample[] = [];
  #now: Sample | null = null;

  /** Takes in a newer one. */
  add({ at, ended, running }: Snapshot): void {
    const used = running.flatMap((one) => (one.usage ? [[keyOf(one), one.usage.cpuSeconds] as const] : []));
    this.#now = { at, ended, cpuSeconds: new Map(used) };
    const last = this.#samples.at(-1);
    if (last && at >= last.at && at - last.at < SHORTEST_MS) return;
    const recent = this.#samples.filter((sample) => sample.at <= at && at - sample.at <= WINDOW_MS);
    this.#samples = [...recent, this.#now];
  }

  /** Null: nothing is known of the time before. */
  get endsPerSecond(): number | null {
    const [first] = this.#samples;
    if (!first || !this.#now || this.#now.at - first.at < SHORTEST_MS) return null;
    return ((this.#now.ended - first.ended) * 1000) / (this.#now.at - first.at);
  }

  /** How many processors a job keeps busy; null: unknown. */
  processors(one: RunningJob): number | null {
    if (!one.usage || !this.#now) return null;
    const before = this.#samples.find(
      ({ at, cpuSeconds }) => this.#sinceMs(at) >= SHORTEST_MS && cpuSeconds.has(keyOf(one)),
    );
    const [from, used] = before ? [before.at, before.cpuSeconds.get(keyOf(one)) ?? 0] : [begunAt(one), 0];
    const seconds = (this.#now.at - from) / 1000;
    return seconds <= 0 ? null : Math.max(0, (one.usage.cpuSeconds - used) / seconds);
  }

  #sinceMs(at: number): number {
    return (this.#now?.at ?? at) - at;
  }
}

const keyOf = ({ job }: RunningJob): string => `${job.seq} ${job.attempts}`;
