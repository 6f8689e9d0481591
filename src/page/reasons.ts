import { unreachable } from "../errors.ts";
import type { Job } from "../store/job.ts";
import type { Phase } from "../store/phases.ts";
import { html, type Html, type Part } from "./html.ts";
import { counted, timeAndAge } from "./words.ts";

/** A job that another one names. */
export interface Other {
  readonly id: string;
  /** Null: that is not the caller's to know, or it is gone. */
  readonly phase: Phase | null;
  readonly path: string | null;
}

/** What stands around a job. */
export interface Circumstances {
  /** What it waits for. */
  readonly waitsFor: readonly Other[];
  /** Some worker runs what is queued. */
  readonly isWorked: boolean;
  /** The worker that has it does not live any more. */
  readonly isOrphan: boolean;
  /** What keeps its worker from its queue; null: nothing. */
  readonly trouble: string | null;
  /** So many jobs are given out before it; null: that is not known, or not the caller's to know. */
  readonly ahead: number | null;
  /** Since when it stands still. */
  readonly suspendedAt: number | null;
  readonly now: number;
}

const SHORT = 8;
export const shortId = (id: string): string => id.slice(0, SHORT);

/** Another job: a link to it, where there is a page of it. */
export const named = ({ id, phase, path }: Other): Html => {
  const name = html`<code>${shortId(id)}</code>`;
  return html`${path === null ? name : html`<a href="${path}">${name}</a>`}${phase !== null && `, which is ${phase}`}`;
};

/** Sentences on why a job does not run, or what is amiss while it does. None: there is nothing to say. */
export function reasons(job: Job, around: Circumstances): Part[] {
  switch (job.phase) {
    case "PENDING":
      return ["It has not been started: Run does that."];
    case "HELD":
      return [...waits(job, around), held(job)];
    case "QUEUED":
      return queued(job, around);
    case "EXECUTING":
    case "SUSPENDED":
    case "UNKNOWN":
      return started(job, around);
    case "COMPLETED":
    case "ERROR":
    case "ABORTED":
    case "ARCHIVED":
      return [];
    default:
      return unreachable(job.phase);
  }
}

const held = ({ heldBy }: Job): string =>
  `${heldBy === null ? "It is held" : `${heldBy} holds it`} until it is run by hand.`;

function waits({ waiting, queue }: Job, { waitsFor }: Circumstances): Part[] {
  if (queue !== null) return [];
  const known = waitsFor.map((other) => html`It waits for job ${named(other)}.`);
  return waiting > waitsFor.length ? [...known, "It waits for a job that has been deleted."] : known;
}

function queued(job: Job, around: Circumstances): Part[] {
  const { availableAt, expiresAt, queue, waiting } = job;
  const { now, isWorked, ahead } = around;
  const isReady = queue === null && waiting === 0 && availableAt === null;
  return [
    ...waits(job, around),
    ...(job.error === null ? [] : ["Its last attempt failed; it is run again."]),
    ...(queue === null ? [] : ["It is run again when its queue delivers its message again, here or to another host."]),
    ...(availableAt === null ? [] : [html`It is due at ${timeAndAge(availableAt, now)}.`]),
    ...(expiresAt === null ? [] : [html`It expires at ${timeAndAge(expiresAt, now)}.`]),
    ...(isReady && isWorked ? [`It waits for a free place on a worker${before(ahead)}.`] : []),
    ...(isWorked ? [] : ["No worker is running: nothing that waits is run."]),
  ];
}

const before = (ahead: number | null): string => {
  if (ahead === null) return "";
  return ahead === 0 ? "; it is the next" : `; ${counted(ahead, "job")} ${ahead === 1 ? "comes" : "come"} before it`;
};

function started({ phase, suspendBy, abortBy }: Job, { suspendedAt, isOrphan, trouble, now }: Circumstances): Part[] {
  return [
    ...(phase === "UNKNOWN" ? ["What became of it is not known."] : []),
    ...(suspendedAt === null ? [] : [html`It stands still since ${timeAndAge(suspendedAt, now)}.`]),
    ...(suspendBy === null ? [] : [`${suspendBy} wants it to stand still.`]),
    ...(abortBy === null ? [] : [`${abortBy} has asked for its abort.`]),
    ...(isOrphan ? ["Its worker is gone; the next one puts the job in order."] : []),
    ...(trouble === null ? [] : [`Its worker is ill: ${trouble}`]),
  ];
}
