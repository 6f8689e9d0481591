import { unreachable } from "../errors.ts";
import type { Queue } from "../queue/port.ts";
import type { Verdict } from "../store/job.ts";

/** Tells a queue elsewhere what was decided of a message. It was recorded before: telling never runs a job again. */
export function tellOnce(queue: Queue, receipt: string, verdict: Verdict): Promise<void> {
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
