import type { Configuration } from "./definition.ts";
import type { Problem } from "./problems.ts";
import { isTable, type Table } from "./schema-parts.ts";
import { shown, suggestion } from "./wording.ts";

/**
 * What one table of a document says of others that is not so. Looks past everything that is wrong in itself. Whether there
 * are definitions elsewhere is said by `hasMore`, or by the document itself, which then names their file.
 */
export function referenceProblems(document: unknown, hasMore: boolean): Problem[] {
  const jobs = tablesIn(document, "jobs");
  const isOpen = hasMore || (isTable(document) && typeof document["jobs"] === "string");
  return [...(isOpen ? [] : unknownJobs(tablesIn(document, "queues"), jobs)), ...sameRoutes(jobs)];
}

function tablesIn(document: unknown, key: string): [name: string, table: Table][] {
  const outer = isTable(document) ? document[key] : undefined;
  const entries = isTable(outer) ? Object.entries(outer) : [];
  return entries.flatMap(([name, inner]) => (isTable(inner) ? [[name, inner]] : []));
}

function unknownJobs(queues: [string, Table][], jobs: [string, Table][]): Problem[] {
  const names = jobs.map(([name]) => name);
  return queues.flatMap(([queue, { job }]) => {
    if (typeof job !== "string" || job === "" || names.includes(job)) return [];
    return [
      {
        path: ["queues", queue, "job"],
        message: `names the job ${shown(job)}, which is not defined${suggestion(job, names)}`,
      },
    ];
  });
}

function sameRoutes(jobs: [string, Table][]): Problem[] {
  const firsts = new Map<string, string>();
  return jobs.flatMap(([name, { route }]) => {
    if (!isTable(route)) return [];
    const key = JSON.stringify([route["attribute"], route["field"], route["equals"]]);
    const first = firsts.get(key);
    if (first !== undefined)
      return [
        {
          path: ["jobs", name, "route"],
          message: `is that of jobs.${first} as well: such a message would be for both`,
        },
      ];
    firsts.set(key, name);
    return [];
  });
}

/** The same of a whole configuration, whose definitions come from several places: a sentence each. */
export function clashes({ queues, definitions }: Pick<Configuration, "queues" | "definitions">): string[] {
  return [...unknownJobsOf(queues, definitions), ...sameRoutesOf(definitions)];
}

function unknownJobsOf(queues: Configuration["queues"], definitions: Configuration["definitions"]): string[] {
  return [...queues].flatMap(([name, queue]) => {
    const job = queue.type === "sqs" ? queue.job : null;
    if (job === null || definitions.has(job)) return [];
    return [
      `queues.${name}.job names the job ${shown(job)}, which is not defined${suggestion(job, definitions.keys())}`,
    ];
  });
}

function sameRoutesOf(definitions: Configuration["definitions"]): string[] {
  const firsts = new Map<string, string>();
  return [...definitions].flatMap(([name, { route }]) => {
    const key = JSON.stringify(route);
    const first = route && firsts.get(key);
    if (route && first === undefined) firsts.set(key, name);
    return first === undefined
      ? []
      : [`the jobs ${first} and ${name} have the same route: a message would be for both`];
  });
}
