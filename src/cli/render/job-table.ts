import type { Inputs, Job } from "../../store/job.ts";
import type { Store } from "../../store/store.ts";
import { commandOf, errorSummary } from "../../uws/document.ts";
import { shortId } from "../ids.ts";
import { phaseColour } from "./colour.ts";
import { table, type Screen } from "./table.ts";
import { safe, shellLine } from "./text.ts";
import { relative, span } from "./times.ts";

const HEAD = ["ID", "PHASE", "CREATED", "TOOK", "JOB"];
const LONGEST_COMMAND = 60;

/** Jobs, one to a line. */
export function jobTable(store: Store, jobs: readonly Job[], now: number, screen: Screen): string {
  const rows = jobs.map((job) => [
    shortId(job.id),
    screen.paint(job.phase, phaseColour(job.phase)),
    relative(job.createdAt, now),
    span(job.startedAt, job.endedAt, now),
    whatAndHow(store, job),
  ]);
  return table(HEAD, rows, screen);
}

function whatAndHow(store: Store, job: Job): string {
  const what = titleOf(job, store.jobs.inputs(job.seq));
  const remark = remarkOn(job);
  if (remark === "") return what;
  const cut = what.length > LONGEST_COMMAND ? `${what.slice(0, LONGEST_COMMAND)}…` : what;
  return `${cut}  # ${remark}`;
}

/** What a job is called: its definition and parameters, or its command. */
export function titleOf(job: Job, inputs: Inputs): string {
  if (job.definition === null) return safe(shellLine(commandOf(inputs, undefined) ?? messageOf(job)));
  const parameters = inputs.parameters.map(
    ({ name, values, secret }) => `${name}=${secret ? "***" : values.join(",")}`,
  );
  return safe([job.definition, ...parameters].join(" "));
}

/** What the worker's own command line runs has no name but its message's. */
const messageOf = ({ messageId }: Job): string[] => (messageId === null ? [] : ["message", messageId]);

function remarkOn(job: Job): string {
  const error = errorSummary(job);
  if (error !== null && job.phase !== "COMPLETED") return safe(error.message);
  if (job.phase === "EXECUTING" && job.progress !== null) return progressOf(job, job.progress);
  if (job.phase !== "QUEUED" || job.waiting === 0) return "";
  return job.queue === null ? "waits for other jobs" : "waits for its message to be delivered again";
}

/** How far a job has come, in words. */
export function progressOf({ progressMessage }: Job, progress: number): string {
  const percent = `${Math.floor(progress * 100)} %`;
  return progressMessage === null ? percent : `${percent}, ${safe(progressMessage)}`;
}
