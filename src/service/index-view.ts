import { COMMAND_LINE } from "../config/definition.ts";
import { indexLive, indexPage, type IndexFacts, type WorkerCard } from "../page/index-page.ts";
import type { WorkerRow } from "../store/workers.ts";
import { addressOf } from "../uws/job-xml.ts";
import { PLAIN_LIST } from "./index-page.ts";
import { hasList } from "./owners.ts";
import type { Exchange } from "./ports.ts";
import { activityOf, countsOf, inPhases, pathOf, rootOf, takingWorkers, type View } from "./view.ts";

export function viewIndex(exchange: Exchange): View {
  const { base, definitions, store, caller } = exchange;
  const counts = countsOf(exchange);
  const card = (name: string, definition: string, description: string) => ({
    name,
    path: pathOf(addressOf(base, name)),
    description,
    counts: inPhases(counts, definition),
  });
  const workers = takingWorkers(exchange);
  const seesAll = caller.owner === null;
  const facts: IndexFacts = {
    root: rootOf(base),
    url: base,
    lists: [
      ...[...definitions.values()].map(({ name, description = "" }) => card(name, name, description)),
      card(PLAIN_LIST, COMMAND_LINE, "Jobs without a definition, made on the command line."),
    ],
    activity: activityOf(exchange, null),
    isShown: hasList(caller),
    isWorked: workers.length > 0,
    workers: seesAll ? workers.map((worker) => cardOf(exchange, worker)) : null,
    oldestReady: seesAll ? store.tallies.oldestReady() : null,
  };
  return { status: 200, page: indexPage(facts), live: indexLive(facts), moves: false };
}

const cardOf = ({ store }: Exchange, worker: WorkerRow): WorkerCard => ({
  host: worker.host,
  pid: worker.pid,
  startedAt: worker.startedAt,
  places: worker.concurrency,
  taken: store.workers.jobsOf(worker.id).length,
  trouble: worker.trouble,
});
