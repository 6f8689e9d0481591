import { isoTime } from "../uws/document.ts";
import { textAnswer } from "./answers.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { hasList } from "./owners.ts";
import type { Exchange } from "./ports.ts";
import { notFound } from "./refusal.ts";

/** What Prometheus reads; not for those who are nobody in particular, who would see how much others do. */
export function answerMetrics({ store, isAlive, clock, caller }: Exchange): Response {
  if (!hasList(caller)) throw notFound();
  return textAnswer(metricsText({ store, isAlive, now: clock.now() }), 200, { "Content-Type": METRICS_TYPE });
}

/** Whether jobs can be made, and are run: 200, or 503 with what is wrong. */
export async function answerHealth(exchange: Exchange): Promise<Response> {
  const { store, isAlive } = exchange;
  const workers = store.workers.all().filter((worker) => worker.concurrency > 0 && isAlive(worker));
  const well = workers.filter(({ trouble }) => trouble === null);
  const canWrite = await tryToWrite(exchange);
  const canClaim = well.length > 0;
  const polls = workers.flatMap(({ polledAt }) => polledAt ?? []);
  const problems = [
    ...(canWrite ? [] : ["the store cannot be written"]),
    ...(canClaim ? [] : [workers.length === 0 ? "no worker is running" : "every worker is kept from its queue"]),
  ];
  const report = {
    status: problems.length === 0 ? "well" : "ill",
    canWrite,
    canClaim,
    // A worker of the store's own queue does not poll: it is woken.
    lastPoll: isoTime(polls.length === 0 ? null : Math.max(...polls)),
    workers: { well: well.length, ill: workers.length - well.length },
    problems,
  };
  const headers = { "Content-Type": "application/json" };
  return textAnswer(`${JSON.stringify(report)}\n`, problems.length === 0 ? 200 : 503, headers);
}

/** By writing: whether a disk has room left shows only then. */
async function tryToWrite({ store, clock, onFault }: Exchange): Promise<boolean> {
  try {
    await store.write(() => store.tallies.leaveMark(clock.now()));
    return true;
  } catch (error) {
    const trouble = store.database.trouble(error);
    if (trouble !== "busy" && trouble !== "full") onFault(error);
    return false;
  }
}
