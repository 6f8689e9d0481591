/** The phases of a job: UWS 1.1, section 2.1.3. */
export const PHASES = [
  "PENDING",
  "QUEUED",
  "EXECUTING",
  "COMPLETED",
  "ERROR",
  "ABORTED",
  "UNKNOWN",
  "HELD",
  "SUSPENDED",
  "ARCHIVED",
] as const;

export type Phase = (typeof PHASES)[number];

/** A phase that a job does not leave, save to ARCHIVED. */
export type FinalPhase = "COMPLETED" | "ERROR" | "ABORTED" | "ARCHIVED";

/** The one table of what may become what; everything else is refused, whoever asks. */
const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  PENDING: ["QUEUED", "HELD", "ABORTED", "ERROR"],
  QUEUED: ["EXECUTING", "HELD", "ABORTED", "ERROR"],
  HELD: ["QUEUED", "ABORTED", "ERROR"],
  EXECUTING: ["COMPLETED", "QUEUED", "ERROR", "ABORTED", "SUSPENDED", "UNKNOWN"],
  SUSPENDED: ["EXECUTING", "COMPLETED", "QUEUED", "ERROR", "ABORTED", "UNKNOWN"],
  UNKNOWN: ["PENDING", "QUEUED", "EXECUTING", "COMPLETED", "ERROR", "ABORTED", "HELD", "SUSPENDED"],
  COMPLETED: ["ARCHIVED"],
  ERROR: ["ARCHIVED"],
  ABORTED: ["ARCHIVED"],
  ARCHIVED: [],
};

/** The phases from which `phase` can be reached: what a compare-and-set compares with. */
export function phasesBefore(phase: Phase): readonly Phase[] {
  return PHASES.filter((from) => NEXT[from].includes(phase));
}

export function isFinal(phase: Phase): phase is FinalPhase {
  return NEXT[phase].every((next) => next === "ARCHIVED");
}

/** Whether a worker has a process for it, or may still have one. */
export function isHeldByWorker(phase: Phase): boolean {
  return phase === "EXECUTING" || phase === "SUSPENDED" || phase === "UNKNOWN";
}

export function isPhase(text: string): text is Phase {
  return PHASES.some((phase) => phase === text);
}
