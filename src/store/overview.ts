import type { SqlValue } from "../runtime/port.ts";
import type { StoreDatabase } from "./database.ts";
import type { Phase } from "./phases.ts";
import type { JobCount } from "./tallies.ts";
import type { Filter } from "./jobs.ts";

/** What a job did when. Times are milliseconds since 1970. */
export interface JobTimes {
  readonly id: string;
  /** The empty name: it has none. */
  readonly definition: string;
  readonly phase: Phase;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** Whose jobs, and which. */
type Which = Pick<Filter, "owner" | "definition">;

/** Numbers over many jobs, for those who look at all of them. ARCHIVED ones are left out. */
export class Overview {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** How many jobs of an owner there are, by definition and phase; of all owners' the tallies know. */
  counts(owner: string): JobCount[] {
    return this.#database.all<JobCount>(
      `SELECT coalesce(definition, '') AS definition, phase, count(*) AS jobs FROM jobs
        WHERE owner = ? AND owner IS NOT NULL GROUP BY 1, 2`,
      owner,
    );
  }

  /** The newest `most` jobs that were made after `since`, the newest first. */
  since(since: number, which: Which, most: number): JobTimes[] {
    const { sql, values } = conditions(which);
    return this.#database.all<JobTimes>(
      `SELECT id, coalesce(definition, '') AS definition, phase, created_at AS createdAt, started_at AS startedAt,
        ended_at AS endedAt FROM jobs WHERE ${sql} AND created_at > ? ORDER BY created_at DESC, seq DESC LIMIT ?`,
      ...values,
      since,
      most,
    );
  }
}

function conditions({ owner, definition }: Which): { sql: string; values: SqlValue[] } {
  const parts = ["phase <> 'ARCHIVED'"];
  const values: SqlValue[] = [];
  if (definition === null) parts.push("coalesce(definition, '') = ''");
  else if (definition !== undefined) {
    parts.push("definition = ?");
    values.push(definition);
  }
  if (owner !== null) {
    parts.push("owner = ?");
    values.push(owner);
  }
  return { sql: parts.join(" AND "), values };
}
