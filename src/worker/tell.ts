import { unreachable } from "../errors.ts";
import { LeaseLost, type Queue } from "../queue/port.ts";
import type { Verdict } from "../store/job.ts";
import type { Ports } from "./ports.ts";

/** Telling never runs a job again: what cannot be told is told by the recorded verdict when the message comes back. */
export async function tell(queue: Queue, receipt: string, verdict: Verdict, { emit }: Ports): Promise<void> {
  try {
    await tellOnce(queue, receipt, verdict);
  } catch (error) {
    if (!(error instanceof LeaseLost)) throw error;
    emit({ type: "trouble", what: error.message });
  }
}

function tellOnce(queue: Queue, receipt: string, verdict: Verdict): Promise<void> {
  switch (verdict.kind) {
    case "acknowledge":
      return queue.acknowledge(receipt);
    case "release":
      return queue.release(receipt, verdict.delayMs);
    case "bury":
      return queue.bury(receipt, verdict.reason);
    case "leave":
      return Promise.resolve();
    default:
      return unreachable(verdict);
  }
}
