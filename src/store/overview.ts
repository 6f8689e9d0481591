import type { SqlValue } from "../runtime/port.ts";
import type { StoreDatabase } from "./database.ts";
import type { Filter } from "./jobs.ts";
import type { Phase } from "./phases.ts";

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

/** Jobs that were made in one stretch of time, and are alike. */
export interface MadeCount {
  readonly phase: Phase;
  /** Stretches after that in which they were made they began, or ended without a beginning; null: they did neither. */
  readonly waited: number | null;
  readonly jobs: number;
}

/** Whose jobs, and which. */
export type Which = Pick<Filter, "owner" | "definition">;

/** From a time up to another, which is not in it; milliseconds since 1970. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

const LEFT = "coalesce(started_at, ended_at)";

/** What many jobs did, stretch by stretch: what a look costs is bounded by the stretch. ARCHIVED ones are left out. */
export class Overview {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** What became of the jobs that were made in it. */
  made({ from, to }: Stretch, which: Which): MadeCount[] {
    const { sql, values } = conditions(which);
    const length = to - from;
    return this.#database.all<MadeCount>(
      `SELECT phase, CAST(max(0, ${LEFT} - ?) / ? AS INTEGER) AS waited, count(*) AS jobs
        FROM jobs WHERE ${sql} AND created_at >= ? AND created_at < ? GROUP BY 1, 2`,
      from,
      length,
      ...values,
      from,
      to,
    );
  }

  /** The newest `most` of them, the newest first. */
  newest({ from, to }: Stretch, which: Which, most: number): JobTimes[] {
    const { sql, values } = conditions(which);
    return this.#database.all<JobTimes>(
      `SELECT id, coalesce(definition, '') AS definition, phase, created_at AS createdAt, started_at AS startedAt,
        ended_at AS endedAt FROM jobs WHERE ${sql} AND created_at >= ? AND created_at < ?
        ORDER BY created_at DESC, seq DESC LIMIT ?`,
      ...values,
      from,
      to,
      most,
    );
  }
}

function conditions({ owner, definition }: Which): { sql: string; values: SqlValue[] } {
  const parts = ["phase <> 'ARCHIVED'"];
  const values: SqlValue[] = [];
  if (definition !== undefined) {
    parts.push("coalesce(definition, '') = ?");
    values.push(definition ?? "");
  }
  if (owner !== null) {
    parts.push("owner = ?");
    values.push(owner);
  }
  return { sql: parts.join(" AND "), values };
}
