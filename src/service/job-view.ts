import { jobLive, jobPage, type JobPageFacts } from "../page/job-page.ts";
import type { Circumstances, Other } from "../page/reasons.ts";
import type { Job } from "../store/job.ts";
import { unmetDependencies } from "../store/reading.ts";
import { addressOf } from "../uws/job-xml.ts";
import { listResults } from "../uws/results.ts";
import { PLAIN_LIST } from "./index-page.ts";
import { isFor } from "./owners.ts";
import type { Exchange, ListedJob } from "./ports.ts";
import { factsFor } from "./told.ts";
import { pathOf, rootOf, takingWorkers, type View } from "./view.ts";

export const progressOf = ({ progress, progressMessage }: Job): JobPageFacts["progress"] =>
  progress === null ? null : { fraction: progress, message: progressMessage };

/** Lines of output that a page shows. */
const TAIL_LINES = 200;

export function viewJob(exchange: Exchange, { list, job, url }: ListedJob): View {
  const { store, live, base, clock } = exchange;
  const found = factsFor(exchange, job);
  const facts: JobPageFacts = {
    ...found,
    listed: listResults(store, job),
    url,
    root: rootOf(base),
    path: pathOf(url),
    list: { name: list.name, path: pathOf(list.url) },
    progress: progressOf(job),
    tails: job.attempts === 0 ? [] : (live?.tails(job, TAIL_LINES) ?? []),
    around: {
      ...circumstances(exchange, job),
      trouble: found.workerTrouble,
      suspendedAt: found.attempts.at(-1)?.suspendedAt ?? null,
    },
    retryOf: job.retryOf === null ? null : other(exchange, job.retryOf),
    retriedAs: job.retriedAs === null ? null : other(exchange, job.retriedAs),
    now: clock.now(),
  };
  return { status: 200, page: jobPage(facts), live: jobLive(facts), moves: job.phase === "EXECUTING" };
}

function circumstances(
  exchange: Exchange,
  job: Job,
): Pick<Circumstances, "waitsFor" | "isWorked" | "isOrphan" | "ahead" | "now"> {
  const { store, isAlive, caller, clock } = exchange;
  const worker = job.worker === null ? undefined : store.workers.one(job.worker);
  const isQueued = job.phase === "QUEUED";
  return {
    waitsFor: job.waiting === 0 ? [] : unmetDependencies(store.database, job.seq).map(({ id }) => other(exchange, id)),
    isWorked: !isQueued || takingWorkers(exchange).length > 0,
    isOrphan: job.worker !== null && (worker === undefined || !isAlive(worker)),
    ahead: isQueued && caller.owner === null ? store.tallies.ahead(job) : null,
    now: clock.now(),
  };
}

/** A job of somebody else's has a name here, and nothing more. */
function other({ store, caller, base, definitions }: Exchange, id: string): Other {
  const job = store.jobs.byId(id);
  if (!job || !isFor(caller, job)) return { id, phase: null, path: null };
  const list = job.definition || PLAIN_LIST;
  const hasPage = !job.definition || definitions.has(job.definition);
  return { id, phase: job.phase, path: hasPage ? pathOf(addressOf(base, list, id)) : null };
}

/** The same of what it has become meanwhile; null: it is gone. */
export function viewJobAgain(exchange: Exchange, target: ListedJob): View | null {
  const job = exchange.store.jobs.bySeq(target.job.seq);
  return job ? viewJob(exchange, { ...target, job }) : null;
}
