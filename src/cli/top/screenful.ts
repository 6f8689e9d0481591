import type { Store } from "../../store/store.ts";
import { shortId } from "../ids.ts";
import { phaseColour, type Paint } from "../render/colour.ts";
import { titleOf } from "../render/job-table.ts";
import { table, type Screen } from "../render/table.ts";
import { counted, safe } from "../render/text.ts";
import { byteSize, span } from "../render/times.ts";
import type { Pace } from "./pace.ts";
import { begunAt, type RunningJob, type Snapshot, type WorkerNow } from "./snapshot.ts";

const HEAD = ["ID", "PHASE", "RUNS", "PROGRESS", "CPU", "MEMORY", "JOB"];
const WORKER_HEAD = ["WORKER", "PID", "JOBS", "SINCE", "STATE"];
const BAR_CELLS = 10;
/** A line of something else above the jobs, and one below them. */
const MOST_WORKERS = 8;

/** A snapshot as lines of text; `height`: no more than so many, null: all. */
export function screenful(store: Store, shot: Snapshot, pace: Pace, screen: Screen, height: number | null): string[] {
  const above = [summary(shot, pace, screen), ...workerLines(shot, screen)];
  const room = height === null ? Number.POSITIVE_INFINITY : Math.max(1, height - above.length - 3);
  const cut = shot.running.length > room;
  const shown = cut ? shot.running.slice(0, Math.max(0, room - 1)) : shot.running;
  const left = shot.running.length - shown.length;
  return [...above, "", ...jobLines(store, shown, shot.at, pace, screen), ...(cut ? [`… and ${left} more`] : [])];
}

function summary({ directory, phases }: Snapshot, pace: Pace, { paint }: Screen): string {
  const counts = [...phases].map(([phase, jobs]) => `${paint(phase, phaseColour(phase))} ${jobs}`);
  const rate = !pace.endsPerSecond ? [] : [`${pace.endsPerSecond.toFixed(1)} ends/s`];
  return `${safe(directory)}  ${[...counts, ...rate].join("  ") || "no jobs"}`;
}

function workerLines({ workers, at }: Snapshot, screen: Screen): string[] {
  if (workers.length === 0) return ["no worker is running: `reeve work` runs what is queued"];
  const rows = workers
    .slice(0, MOST_WORKERS)
    .map(({ row, isAlive, jobs }) => [
      safe(row.id),
      String(row.pid),
      row.concurrency === 0 ? `${jobs}` : `${jobs}/${row.concurrency}`,
      span(row.startedAt, null, at),
      stateOf({ row, isAlive, jobs }, screen.paint),
    ]);
  const left = workers.length - rows.length;
  return [
    "",
    ...linesOf(table(WORKER_HEAD, rows, screen)),
    ...(left > 0 ? [`… and ${counted(left, "worker")} more`] : []),
  ];
}

function stateOf({ row, isAlive }: WorkerNow, paint: Paint): string {
  if (!isAlive) return paint("dead: the next worker recovers its jobs", "red");
  return row.trouble === null ? paint("well", "green") : paint(safe(row.trouble), "yellow");
}

function jobLines(store: Store, running: readonly RunningJob[], now: number, pace: Pace, screen: Screen): string[] {
  if (running.length === 0) return ["nothing runs"];
  const rows = running.map((one) => [
    shortId(one.job.id),
    screen.paint(one.job.phase, phaseColour(one.job.phase)),
    span(begunAt(one), null, now),
    progressBar(one, screen.paint),
    share(pace.processors(one)),
    one.usage ? byteSize(one.usage.memoryBytes) : "",
    messageAndTitle(store, one, screen.paint),
  ]);
  return linesOf(table(HEAD, rows, screen));
}

function progressBar({ job: { progress } }: RunningJob, paint: Paint): string {
  if (progress === null) return "";
  const full = Math.floor(progress * BAR_CELLS);
  const bar = paint("█".repeat(full), "cyan") + paint("░".repeat(BAR_CELLS - full), "dim");
  return `${bar} ${String(Math.floor(progress * 100)).padStart(3)} %`;
}

/** Of one processor. */
const share = (processors: number | null): string => (processors === null ? "" : `${Math.round(processors * 100)} %`);

/** What it says first, since that changes, and the room may not be enough for both. */
function messageAndTitle(store: Store, { job }: RunningJob, paint: Paint): string {
  const title = titleOf(job, store.jobs.inputs(job.seq));
  return job.progressMessage === null ? title : `${safe(job.progressMessage)} · ${paint(title, "dim")}`;
}

const linesOf = (text: string): string[] => text.trimEnd().split("\n");
