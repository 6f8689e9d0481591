import { formatDuration } from "./durations.ts";

/** How long a message is ours, and what has to fit into that. All in milliseconds. */
export interface LeaseTimes {
  readonly visibilityMs: number;
  /** Between beats; null: a third of the visibility timeout. */
  readonly beatMs: number | null;
  /** Between a job's stop signal and KILL. */
  readonly graceMs: number;
}

/** Kept at the end of a lease to kill and record. */
const LAST_MS = 2000;
const LONGEST_VISIBILITY_S = 43_200;

/**
 * Why a lease cannot be kept so, and what to change; null: it can. When a beat fails, what is left has to be enough to
 * end the job, before the message is given to another.
 */
export function leaseProblem(times: LeaseTimes): string | null {
  const { visibilityMs, graceMs, beatMs } = times;
  const interval = beatMs ?? visibilityMs / 3;
  const left = visibilityMs - interval;
  if (left > graceMs + LAST_MS) return null;
  const between = beatMs === null ? "a third of it" : formatDuration(interval);
  const outcome = left > 0 ? shortage(left, graceMs) : "a lease is over before it is renewed";
  const remedy = remedies(times, left).join(", or ") || "a longer `visibility` and a shorter `grace`";
  return `With a \`visibility\` of ${formatDuration(visibilityMs)} and ${between} between beats, ${outcome}. Set ${remedy}.`;
}

const shortage = (left: number, graceMs: number): string =>
  `${formatDuration(left)} of a lease are left when a beat fails, but to end a job takes ${formatDuration(graceMs)} of \`grace\` and 2s`;

/** Each is enough by itself. */
function remedies({ visibilityMs, beatMs, graceMs }: LeaseTimes, left: number): string[] {
  const needed = graceMs + LAST_MS;
  const visibility = Math.floor((beatMs === null ? needed * 1.5 : beatMs + needed) / 1000) + 1;
  const beat = Math.floor((visibilityMs - needed) / 1000);
  const grace = Math.floor((left - LAST_MS) / 1000);
  return [
    ...(visibility <= LONGEST_VISIBILITY_S ? [`\`visibility\` to ${visibility}s or more`] : []),
    ...(beatMs !== null && beat > 0 ? [`\`beat\` to less than ${beat}s`] : []),
    ...(grace > 0 ? [`\`grace\` to less than ${grace}s`] : []),
  ];
}
