import { DURATION_LIMITS_MS, type DurationCount } from "../store/tallies.ts";
import type { Store } from "../store/store.ts";
import type { WorkerRow } from "../store/workers.ts";

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface MetricsSource {
  readonly store: Pick<Store, "tallies" | "workers">;
  readonly isAlive: (worker: WorkerRow) => boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface Sample {
  /** What comes after the family's name. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  /** Those that are empty are left out, which means the same. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What Prometheus reads. What it costs does not grow with the number of jobs. */
export function metricsText({ store, isAlive, now }: MetricsSource): string {
  const { tallies } = store;
  const oldest = tallies.oldestReady();
  const leases = tallies.leases();
  const workers = store.workers.all().map((worker) => ({ ...worker, state: stateOf(worker, isAlive) }));
  return [
    family("reeve_jobs", "gauge", "Jobs in the store.", tallies.jobs().map(ofJobs)),
    family("reeve_queue_age_seconds", "gauge", "How long ago the oldest job was made that could be run now.", [
      { value: oldest === null ? 0 : Math.max(0, now - oldest) / 1000 },
    ]),
    family(
      "reeve_attempts_total",
      "counter",
      "Attempts that have ended, by what they left their jobs in.",
      tallies.attempts().map(({ attempts, ...labels }) => ({ labels, value: attempts })),
    ),
    family("reeve_attempt_duration_seconds", "histogram", "How long they ran.", histograms(tallies.durations())),
    family(
      "reeve_beats_missed_total",
      "counter",
      "Extensions of a message's lease that failed.",
      leases.map(({ queue, beatsMissed }) => ({ labels: { queue }, value: beatsMissed })),
    ),
    family(
      "reeve_leases_lost_total",
      "counter",
      "Messages that were lost while they were run.",
      leases.map(({ queue, leasesLost }) => ({ labels: { queue }, value: leasesLost })),
    ),
    family(
      "reeve_workers",
      "gauge",
      "Workers: well, ill (kept from a queue), or dead and not recovered yet.",
      STATES.map((state) => ({ labels: { state }, value: workers.filter((one) => one.state === state).length })),
    ),
    family("reeve_worker_slots", "gauge", "Jobs that the living workers take at once.", [
      { value: sum(workers.filter(({ state }) => state !== "dead").map(({ concurrency }) => concurrency)) },
    ]),
  ].join("");
}

const ofJobs = ({ jobs, ...labels }: { jobs: number; definition: string; phase: string }): Sample => ({
  labels,
  value: jobs,
});

const STATES = ["well", "ill", "dead"] as const;

function stateOf(worker: WorkerRow, isAlive: MetricsSource["isAlive"]): (typeof STATES)[number] {
  if (!isAlive(worker)) return "dead";
  return worker.trouble === null ? "well" : "ill";
}

function histograms(counts: readonly DurationCount[]): Sample[] {
  return [...Map.groupBy(counts, ({ definition }) => definition)].flatMap(([definition, own]) =>
    histogram(definition, own),
  );
}

/** Each bucket counts those below it, too. */
function histogram(definition: string, counts: readonly DurationCount[]): Sample[] {
  const all = sum(counts.map(({ attempts }) => attempts));
  const upTo = (limit: number): number =>
    sum(counts.filter(({ limitMs }) => limitMs >= 0 && limitMs <= limit).map(({ attempts }) => attempts));
  const labels = { definition };
  return [
    ...DURATION_LIMITS_MS.map((limit): Sample => bucket(definition, String(limit / 1000), upTo(limit))),
    bucket(definition, "+Inf", all),
    { suffix: "_sum", labels, value: sum(counts.map(({ ms }) => ms)) / 1000 },
    { suffix: "_count", labels, value: all },
  ];
}

const bucket = (definition: string, le: string, value: number): Sample => ({
  suffix: "_bucket",
  labels: { definition, le },
  value,
});

const sum = (values: readonly number[]): number => values.reduce((before, value) => before + value, 0);

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ suffix = "", labels = {}, value }) => `${name}${suffix}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).filter(([, value]) => value !== "");
  return pairs.length === 0 ? "" : `{${pairs.map(([name, value]) => `${name}="${quoted(value)}"`).join(",")}}`;
}

const quoted = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
