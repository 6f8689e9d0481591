import type { Activity } from "../page/chart-frame.ts";
import type { Html } from "../page/html.ts";
import type { Page } from "../page/layout.ts";
import type { Phase } from "../store/phases.ts";
import type { JobCount } from "../store/tallies.ts";
import type { WorkerRow } from "../store/workers.ts";
import { addressOf } from "../uws/job-xml.ts";
import { PLAIN_LIST } from "./index-page.ts";
import { hasList } from "./owners.ts";
import type { Exchange, SeenDay } from "./ports.ts";

/** What people see of a resource. */
export interface View {
  /** Above 299: what was asked for cannot be. */
  readonly status: number;
  readonly page: Page;
  /** The parts of it that change. */
  readonly live: readonly Html[];
  /** It changes without a change in the store. */
  readonly moves: boolean;
}

/** The path of the service as its clients know it, without a slash at its end. */
export const rootOf = (base: string): string => new URL(base).pathname.replace(/\/$/, "");

export const pathOf = (url: string): string => new URL(url).pathname;

/** Null: the definition is any. */
type Of = string | null;

/** How many jobs the caller may see, by definition and phase. */
export function countsOf({ caller, store }: Exchange): readonly JobCount[] {
  return hasList(caller) ? store.tallies.jobs(caller.owner).filter(({ jobs }) => jobs > 0) : [];
}

export const inPhases = (counts: readonly JobCount[], definition: string): Map<Phase, number> =>
  new Map(
    counts
      .filter((one) => one.definition === definition && one.phase !== "ARCHIVED")
      .map(({ phase, jobs }) => [phase, jobs]),
  );

const NO_DAY: SeenDay = { stretches: [], jobs: [], isCut: false, waitingBefore: 0, now: 0 };
/** So long what is only seen in parts is not read anew. */
const CUT_MS = 10_000;

/** What jobs of a definition did on the last day, or all that have a page. */
export function activityOf(exchange: Exchange, definition: Of): Activity {
  const { base, caller, definitions, views } = exchange;
  const key = JSON.stringify([caller.owner, definition]);
  const read = (): SeenDay => dayOf(exchange, definition);
  const day = hasList(caller) ? views.activity.get(key, read, ({ isCut }) => (isCut ? CUT_MS : 0)) : NO_DAY;
  return {
    ...day,
    jobs: day.jobs.filter((job) => job.definition === "" || definitions.has(job.definition)),
    pathOf: (job) => pathOf(addressOf(base, job.definition || PLAIN_LIST, job.id)),
  };
}

function dayOf(exchange: Exchange, definition: Of): SeenDay {
  const { clock, views, caller } = exchange;
  const which = { owner: caller.owner, ...(definition !== null && { definition: definition || null }) };
  const day = views.history.lastDay(which);
  const waiting = countsOf(exchange).filter(({ phase }) => phase === "QUEUED");
  const all = waiting.filter((one) => definition === null || one.definition === definition);
  const ofDay = day.stretches.flatMap(({ counts }) => counts.filter(({ phase }) => phase === "QUEUED"));
  return { ...day, waitingBefore: Math.max(0, sumOf(all) - sumOf(ofDay)), now: clock.now() };
}

const sumOf = (counts: readonly { readonly jobs: number }[]): number => counts.reduce((sum, { jobs }) => sum + jobs, 0);

/** The workers that run what is queued. */
export const takingWorkers = ({ store, isAlive }: Exchange): WorkerRow[] =>
  store.workers.all().filter((worker) => worker.concurrency > 0 && isAlive(worker));
