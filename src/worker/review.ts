import { messageOf } from "../errors.ts";
import type { CleanUp, Ending, Settlement } from "../store/job.ts";
import type { ActiveJob, Started } from "./active-job.ts";
import type { Ports } from "./ports.ts";

/** An attempt that ended by itself or by a bound of its own, and what its limits make of that. */
export interface Judged {
  readonly job: string;
  readonly definition: string | null;
  readonly attempt: number;
  /** As the message's queue counted the delivery; 0: it does not count. */
  readonly receiveCount: number;
  readonly ending: Ending;
  readonly settlement: Settlement;
}

/** What is to become of it instead. */
export type Decision =
  { readonly kind: "release"; readonly delayMs: number } | { readonly kind: "bury"; readonly reason: string };

/** Null: what its limits say. */
export type Review = (judged: Judged) => Decision | null;

interface Ended extends Pick<ActiveJob, "cause"> {
  readonly started: Pick<Started, "job" | "message">;
}

/**
 * What whoever made the worker makes of an ending. A stop, an abort or a lost lease is nobody's to judge; nor is what
 * was not cleaned up after, since running it again might make things worse.
 */
export function reviewed(
  settlement: Settlement,
  { started, cause }: Ended,
  { ending, cleanUp }: { readonly ending: Ending; readonly cleanUp: CleanUp | null },
  { review, emit }: Pick<Ports, "review" | "emit">,
): Settlement {
  const isOurs = cause === null || cause === "timeout" || cause === "memory";
  if (!review || !isOurs || ending.kind === "not started" || cleanUp?.outcome === "failed") return settlement;
  const { job, message } = started;
  const { definition, attempts: attempt, id } = job;
  try {
    const decision = review({ job: id, definition, attempt, receiveCount: message.receiveCount, ending, settlement });
    return decision ? settlementOf(decision, settlement) : settlement;
  } catch (error) {
    emit({ type: "trouble", what: `what is to become of job ${id} was not decided: ${messageOf(error)}` });
    return settlement;
  }
}

function settlementOf(decision: Decision, { error }: Settlement): Settlement {
  if (decision.kind === "release") {
    const why = error ?? { message: "put back by its worker's program", type: "transient" };
    return { phase: "QUEUED", verdict: decision, counts: "nothing", error: why };
  }
  const why = { message: decision.reason, type: "fatal" } as const;
  return { phase: "ERROR", verdict: decision, counts: "nothing", error: why };
}
