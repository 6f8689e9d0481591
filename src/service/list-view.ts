import { COMMAND_LINE } from "../config/definition.ts";
import { USUAL_LAST, type Asked } from "../page/filter-form.ts";
import { listLive, listPage, type Further, type ListFacts, type Row } from "../page/list-page.ts";
import { counted } from "../page/words.ts";
import type { Job } from "../store/job.ts";
import type { Filter, Place } from "../store/jobs.ts";
import { isoTime } from "../uws/document.ts";
import { readFilters, valuesOf } from "../uws/filters.ts";
import { addressOf } from "../uws/job-xml.ts";
import { readUtc } from "../uws/times.ts";
import { progressOf } from "./job-view.ts";
import { hasList, isFor } from "./owners.ts";
import type { Exchange, List } from "./ports.ts";
import { activityOf, countsOf, inPhases, pathOf, rootOf, type View } from "./view.ts";
import { jobFor } from "./told.ts";

const MOST_LAST = 1000;
/** Jobs made after a time are counted one by one: no more than so many. */
const MOST_COUNTED = 10_000;

/** A place in a list by what its addresses have: the id, since a row's number would tell how much others do. */
type Mark = Place & Pick<Job, "id">;

type Found = Pick<ListFacts, "further" | "total"> & { readonly jobs: readonly Job[] };
const NOTHING: Found = { jobs: [], further: { newer: null, older: null }, total: counted(0, "job") };

export function viewList(exchange: Exchange, list: List): View {
  const { name, definition, url } = list;
  const { base, clock } = exchange;
  // A form sends what was left empty, too.
  const query = new URLSearchParams([...exchange.query].filter(([, value]) => value.trim() !== ""));
  const filters = readFilters(query);
  const problem = "problem" in filters ? filters.problem : null;
  const last = "problem" in filters ? USUAL_LAST : Math.min(filters.last ?? USUAL_LAST, MOST_LAST);
  const asked: Asked = { phases: valuesOf(query, "phase"), after: valuesOf(query, "after")[0] ?? "", last };
  const filter: Filter | null =
    "problem" in filters || !hasList(exchange.caller)
      ? null
      : { ...filters, last, owner: exchange.caller.owner, definition: definition?.name ?? null };
  const of = definition?.name ?? COMMAND_LINE;
  const { jobs, ...found } = find(exchange, filter, query);
  const facts: ListFacts = {
    root: rootOf(base),
    url,
    path: pathOf(url),
    name,
    definition,
    asked,
    problem,
    rows: jobs.map((job) => rowOf(exchange, job, url)),
    ...found,
    counts: inPhases(countsOf(exchange), of),
    isShown: hasList(exchange.caller),
    activity: activityOf(exchange, of),
    now: clock.now(),
  };
  const moves = jobs.some(({ phase }) => phase === "EXECUTING");
  return { status: problem === null ? 200 : 400, page: listPage(facts), live: listLive(facts), moves };
}

function find(exchange: Exchange, filter: Filter | null, query: URLSearchParams): Found {
  if (!filter) return NOTHING;
  const place = (name: string): Mark | null => readPlace(exchange, valuesOf(query, name)[0] ?? "");
  return { ...pageOf(exchange, filter, place("newer"), place("older")), total: totalOf(exchange, filter) };
}

/** One more than is shown is read, to see whether there is more. */
function pageOf(exchange: Exchange, filter: Filter, above: Mark | null, below: Mark | null): Omit<Found, "total"> {
  const { jobs } = exchange.store;
  const last = filter.last ?? MOST_LAST;
  if (above) {
    const found = jobs.list({ ...filter, last: last + 1, above });
    // Nearly at the top: a whole page of the newest says more than the few that are above.
    if (found.length <= last) return pageOf(exchange, filter, null, null);
    const shown = found.slice(1);
    return { jobs: shown, further: furtherThan(shown, true, true) };
  }
  const found = jobs.list({ ...filter, last: last + 1, ...(below && { below }) });
  const shown = found.slice(0, last);
  if (below && shown.length === 0) return { jobs: [], further: { newer: nameOf(below), older: null } };
  return { jobs: shown, further: furtherThan(shown, below !== null, found.length > last) };
}

const furtherThan = (shown: readonly Job[], hasNewer: boolean, hasOlder: boolean): Further => {
  const [first, last] = [shown[0], shown.at(-1)];
  return { newer: hasNewer && first ? nameOf(first) : null, older: hasOlder && last ? nameOf(last) : null };
};

const nameOf = ({ createdAt, id }: Mark): string => `${isoTime(createdAt)},${id}`;

/** Null: it is none, and the list begins with the newest. */
function readPlace({ store, caller }: Exchange, text: string): Mark | null {
  const [time = "", id = ""] = text.split(",");
  const createdAt = readUtc(time);
  if (createdAt === null) return null;
  const job = store.jobs.byId(id);
  // Of one that is gone its time is known: what was made in the same moment is rather shown twice than not at all.
  return { createdAt, id, seq: job && isFor(caller, job) ? job.seq : Number.MAX_SAFE_INTEGER };
}

/** What triggers count, as far as they do. */
function totalOf(exchange: Exchange, filter: Filter): string {
  if (filter.after !== null) {
    const jobs = exchange.store.jobs.count(filter, MOST_COUNTED);
    return jobs < MOST_COUNTED ? counted(jobs, "job") : `more than ${counted(MOST_COUNTED - 1, "job")}`;
  }
  const counts = countsOf(exchange).filter(({ definition }) => definition === (filter.definition ?? COMMAND_LINE));
  const wanted = counts.filter(({ phase }) =>
    filter.phases.length === 0 ? phase !== "ARCHIVED" : filter.phases.includes(phase),
  );
  return counted(
    wanted.reduce((sum, { jobs }) => sum + jobs, 0),
    "job",
  );
}

const rowOf = ({ store, caller }: Exchange, job: Job, url: string): Row => ({
  job: jobFor(caller, job),
  path: pathOf(addressOf(url, job.id)),
  parameters: store.jobs.inputs(job.seq).parameters,
  progress: progressOf(job),
});
