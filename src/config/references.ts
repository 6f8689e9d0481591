import type { Problem } from "./problems.ts";
import { isTable, type Table } from "./schema-parts.ts";
import { shown, suggestion } from "./wording.ts";

/** What one table of a document says of others that is not so. Looks past everything that is wrong in itself. */
export function referenceProblems(document: unknown): Problem[] {
  const jobs = tablesIn(document, "jobs");
  return [...unknownJobs(tablesIn(document, "queues"), jobs), ...sameRoutes(jobs)];
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
