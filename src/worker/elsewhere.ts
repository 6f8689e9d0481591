import { unreachable } from "../errors.ts";
import { wasLast, type Message, type RemoteQueue } from "../queue/port.ts";
import type { JobError, Settlement } from "../store/job.ts";

/** What an ending comes to on a queue elsewhere, which counts deliveries and may have no place for dead letters. */
export function elsewhere(settlement: Settlement, message: Message, queue: RemoteQueue, capMs: number): Settlement {
  switch (settlement.verdict.kind) {
    case "release":
      return message.isLast ? lastDelivery(settlement, message) : putBack(settlement, queue);
    case "bury":
      return givenUp(settlement, message, capMs);
    case "acknowledge":
    case "leave":
      return settlement;
    default:
      return unreachable(settlement.verdict);
  }
}

/** Put back it would go to the dead letters without a reason: it is moved there with one. */
function lastDelivery({ counts, error }: Settlement, delivery: Message): Settlement {
  const message = wasLast(error?.message ?? "it was put back", delivery);
  const last: JobError = { ...error, message, type: "transient" };
  return { phase: "ERROR", verdict: { kind: "bury", reason: message }, counts, error: last };
}

/** At a stop, and after a death from outside, others may be stopping too, whose last polls must not catch it. */
function putBack(settlement: Settlement, { putBackMs }: RemoteQueue): Settlement {
  const { verdict, counts, error } = settlement;
  if (verdict.kind !== "release" || (counts !== "lost" && error?.cause !== "stop")) return settlement;
  return { ...settlement, verdict: { kind: "release", delayMs: Math.max(verdict.delayMs, putBackMs) } };
}

function givenUp(settlement: Settlement, { ifGivenUp }: Message, capMs: number): Settlement {
  // What must not be run again is no matter of how often it was tried.
  const isExhausted = settlement.counts !== "nothing" && settlement.error?.type !== "fatal";
  switch (ifGivenUp) {
    case "bury":
      return settlement;
    case "delete":
      return { ...settlement, verdict: { kind: "acknowledge" } };
    case "leave":
      // There are no dead letters: what may still succeed goes on being tried, as the queue has it.
      return isExhausted
        ? { ...settlement, phase: "QUEUED", verdict: { kind: "release", delayMs: capMs } }
        : settlement;
    default:
      return unreachable(ifGivenUp);
  }
}
