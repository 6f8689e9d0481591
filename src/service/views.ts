import { DAY_MS, type Activity } from "../page/charts.ts";
import type { Html } from "../page/html.ts";
import { indexLive, indexPage, type IndexFacts } from "../page/index-page.ts";
import { jobLive, jobPage, type JobPageFacts } from "../page/job-page.ts";
import type { Page } from "../page/layout.ts";
import { listLive, listPage, type Asked, type ListFacts, type Row } from "../page/list-page.ts";
import type { Job } from "../store/job.ts";
import type { Filter } from "../store/jobs.ts";
import { COMMAND_LINE } from "../config/definition.ts";
import type { Phase } from "../store/phases.ts";
import type { JobTimes } from "../store/overview.ts";
import type { JobCount } from "../store/tallies.ts";
import { readFacts } from "../uws/document.ts";
import { readFilters, valuesOf } from "../uws/filters.ts";
import { addressOf } from "../uws/job-xml.ts";
import { quoteOf } from "../uws/quote.ts";
import { listResults } from "../uws/results.ts";
import { PLAIN_LIST } from "./index-page.ts";
import { hasList } from "./owners.ts";
import type { Exchange, List, ListedJob } from "./ports.ts";

/** What people see of a resource. */
export interface View {
  /** Above 299: what was asked for cannot be. */
  readonly status: number;
  readonly page: Page;
  /** The part of it that changes. */
  readonly live: Html;
  /** It changes without a change in the store. */
  readonly moves: boolean;
}

/** The path of the service as its clients know it, without a slash at its end. */
export const rootOf = (base: string): string => new URL(base).pathname.replace(/\/$/, "");

const pathOf = (url: string): string => new URL(url).pathname;

/** Jobs that one page tells of, in its plots. */
const MOST_PLOTTED = 3000;

export function viewIndex(exchange: Exchange): View {
  const { base, definitions } = exchange;
  const counts = countsOf(exchange);
  const card = (name: string, definition: string, description: string) => ({
    name,
    path: pathOf(addressOf(base, name)),
    description,
    counts: inPhases(counts, definition),
  });
  const facts: IndexFacts = {
    root: rootOf(base),
    url: base,
    lists: [
      ...[...definitions.values()].map(({ name, description = "" }) => card(name, name, description)),
      card(PLAIN_LIST, COMMAND_LINE, "Jobs without a definition, made on the command line."),
    ],
    activity: activityOf(exchange, undefined),
  };
  return { status: 200, page: indexPage(facts), live: indexLive(facts), moves: false };
}

/** Whose jobs the caller may see; null: everybody's. */
const ownerOf = ({ caller }: Exchange): string | null => caller.owner;

type Of = Filter["definition"];

const keyOf = (exchange: Exchange, definition: Of): string =>
  JSON.stringify([ownerOf(exchange), definition ?? "", definition === undefined]);

/** How many jobs the caller may see, by definition and phase. */
function countsOf({ caller, store, views }: Exchange): readonly JobCount[] {
  if (!hasList(caller)) return [];
  const { owner } = caller;
  const counts = owner === null ? store.tallies.jobs() : views.counts.get(owner, () => store.overview.counts(owner));
  return counts.filter(({ phase, jobs }) => jobs > 0 && phase !== "ARCHIVED");
}

const inPhases = (counts: readonly JobCount[], definition: string): Map<Phase, number> =>
  new Map(counts.filter((one) => one.definition === definition).map(({ phase, jobs }) => [phase, jobs]));

function activityOf(exchange: Exchange, definition: Of): Activity {
  const { clock, base, definitions, views, store } = exchange;
  const now = clock.now();
  const which = { owner: ownerOf(exchange), ...(definition !== undefined && { definition }) };
  const read = (): JobTimes[] => store.overview.since(now - DAY_MS, which, MOST_PLOTTED);
  const all = !hasList(exchange.caller) ? [] : views.activity.get(keyOf(exchange, definition), read);
  return {
    jobs: all.filter((job) => job.definition === "" || definitions.has(job.definition)),
    isCut: all.length === MOST_PLOTTED,
    now,
    pathOf: (job) => pathOf(addressOf(base, job.definition || PLAIN_LIST, job.id)),
  };
}

const USUAL_LAST = 50;
const MOST_LAST = 1000;

export function viewList(exchange: Exchange, list: List): View {
  const { name, definition, url } = list;
  const { base, clock } = exchange;
  // A form sends what was left empty, too.
  const query = new URLSearchParams([...exchange.query].filter(([, value]) => value.trim() !== ""));
  const filters = readFilters(query);
  const problem = "problem" in filters ? filters.problem : null;
  const last = "problem" in filters ? USUAL_LAST : Math.min(filters.last ?? USUAL_LAST, MOST_LAST);
  const asked: Asked = { phases: valuesOf(query, "phase"), after: valuesOf(query, "after")[0] ?? "", last };
  const of = definition?.name ?? null;
  const jobs =
    "problem" in filters || !hasList(exchange.caller)
      ? []
      : exchange.store.jobs.list({ ...filters, last, owner: ownerOf(exchange), definition: of });
  const facts: ListFacts = {
    root: rootOf(base),
    url,
    path: pathOf(url),
    name,
    definition,
    asked,
    problem,
    rows: jobs.flatMap((job) => rowOf(exchange, job, url)),
    counts: inPhases(countsOf(exchange), of ?? COMMAND_LINE),
    isShown: hasList(exchange.caller),
    activity: { ...activityOf(exchange, of), now: clock.now() },
  };
  const moves = jobs.some(({ phase }) => phase === "EXECUTING");
  return { status: problem === null ? 200 : 400, page: listPage(facts), live: listLive(facts), moves };
}

function rowOf({ store }: Exchange, job: Job, url: string): Row[] {
  // It may have been forgotten since the list was read.
  const now = store.jobs.bySeq(job.seq);
  if (!now) return [];
  const { parameters } = store.jobs.inputs(job.seq);
  return [{ job: now, path: pathOf(addressOf(url, now.id)), parameters, progress: progressOf(now) }];
}

const progressOf = ({ progress, progressMessage }: Job): JobPageFacts["progress"] =>
  progress === null ? null : { fraction: progress, message: progressMessage };

/** Lines of output that a page shows. */
const TAIL_LINES = 200;

export function viewJob(exchange: Exchange, { list, job, url }: ListedJob): View {
  const { store, live, base, clock } = exchange;
  const facts: JobPageFacts = {
    ...readFacts(store, job, quoteOf(store, job, clock.now())),
    listed: listResults(store, job),
    url,
    root: rootOf(base),
    path: pathOf(url),
    list: { name: list.name, path: pathOf(list.url) },
    progress: progressOf(job),
    tails: job.attempts === 0 ? [] : (live?.tails(job, TAIL_LINES) ?? []),
    now: clock.now(),
  };
  return { status: 200, page: jobPage(facts), live: jobLive(facts), moves: job.phase === "EXECUTING" };
}

/** The same of what it has become meanwhile; null: it is gone. */
export function viewJobAgain(exchange: Exchange, target: ListedJob): View | null {
  const job = exchange.store.jobs.bySeq(target.job.seq);
  return job ? viewJob(exchange, { ...target, job }) : null;
}
