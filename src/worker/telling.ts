import { BURY_AGAIN_MS, type QueueTrouble } from "../queue/port.ts";
import { unreachable } from "../errors.ts";
import type { Verdict } from "../store/job.ts";
import type { Started } from "./active-job.ts";
import type { Lease } from "./lease.ts";
import type { RunContext } from "./run.ts";

/**
 * Tells a queue elsewhere what was decided of its message. What it cannot be told is told when the message comes
 * again, by the recorded verdict and without a run.
 */
export async function tellQueue(lease: Lease, started: Started, verdict: Verdict, context: RunContext): Promise<void> {
  // Only the newest receipt deletes for sure.
  await context.leases.takeNewerReceipts(context.worker);
  const told = await lease.settle(verdict);
  switch (told.kind) {
    case "told":
      break;
    case "lost":
      await note(started, `its queue could not be told to ${verdict.kind}: the message is not ours any more`, context);
      break;
    case "failed":
      await untold(lease, started, verdict, told.trouble, context);
      break;
    default:
      unreachable(told);
  }
  context.leases.drop(lease);
  context.told();
}

async function untold(
  lease: Lease,
  started: Started,
  verdict: Verdict,
  { message: why, hint, kind }: QueueTrouble,
  context: RunContext,
): Promise<void> {
  const { job } = started;
  const { store } = context.ports;
  const what = `its queue could not be told to ${verdict.kind}: ${why}`;
  await note(started, hint === null ? what : `${what}; ${hint}`, context);
  if (kind === "transient" || verdict.kind !== "bury") return;
  await store.write(() => store.deliveries.addToError(job.seq, what));
  // After the last delivery the redrive policy moves it the next time that anybody asks.
  if (lease.message.isLast) await lease.settle({ kind: "release", delayMs: 0 });
  else await lease.park(BURY_AGAIN_MS);
}

async function note({ job }: Started, why: string, { ports, worker }: RunContext): Promise<void> {
  const { store, clock, emit } = ports;
  emit({ type: "not told", job: job.id, attempt: job.attempts, why });
  await store.write(() => {
    // It may have been deleted by then.
    if (store.jobs.bySeq(job.seq)) store.decisions.add(job.seq, clock.now(), "not told", worker, why);
  });
}
