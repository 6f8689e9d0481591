import type { SqlValue } from "../runtime/port.ts";
import type { StoreDatabase } from "./database.ts";
import type { Filter } from "./jobs.ts";
import type { Phase } from "./phases.ts";

/** The jobs that a filter lets through, the newest first. */
export function listed<Row extends object>(database: StoreDatabase, filter: Filter, columns: string): Row[] {
  const walks = walksOf(database, filter);
  if (walks.length === 0) return [];
  const { sql, values } = queryOf(walks, filter, columns);
  const rows = database.all<Row>(sql, ...values);
  return filter.above ? rows.toReversed() : rows;
}

/** How many they are, up to the filter's last. */
export function counted(database: StoreDatabase, filter: Filter): number {
  const walks = walksOf(database, filter);
  if (walks.length === 0) return 0;
  const { sql, values } = queryOf(walks, filter, "created_at AS createdAt, seq");
  return database.get<{ jobs: number }>(`SELECT count(*) AS jobs FROM (${sql})`, ...values)?.jobs ?? 0;
}

/** A way through the jobs of one phase, or of all, by one index. */
interface Walk {
  /** Null: any but ARCHIVED. */
  readonly phase: Phase | null;
  readonly index: "jobs_created" | "jobs_phase" | "jobs_definition" | "jobs_owner";
}

const COUNTS = `SELECT coalesce(sum(jobs), 0) AS jobs,
    coalesce(sum(jobs) FILTER (WHERE phase = ?1), 0) AS ofPhase,
    coalesce(sum(jobs) FILTER (WHERE definition = ?2), 0) AS ofDefinition,
    coalesce(sum(jobs) FILTER (WHERE owner = ?3), 0) AS ofOwner,
    coalesce(sum(jobs) FILTER (WHERE (?1 IS NULL OR phase = ?1) AND (?2 IS NULL OR definition = ?2)
      AND (?3 IS NULL OR owner = ?3)), 0) AS wanted
  FROM job_counts`;

interface Counts {
  readonly jobs: number;
  readonly ofPhase: number;
  readonly ofDefinition: number;
  readonly ofOwner: number;
  readonly wanted: number;
}

/** One for each phase; where there is nothing to find, none: else all would be looked through for it. */
function walksOf(database: StoreDatabase, filter: Filter): Walk[] {
  const phases: readonly (Phase | null)[] = filter.phases.length > 0 ? [...new Set(filter.phases)] : [null];
  return phases.flatMap((phase) => {
    const definition = filter.definition === undefined ? null : (filter.definition ?? "");
    const counts = database.get<Counts>(COUNTS, phase, definition, filter.owner);
    return counts && counts.wanted > 0 ? [{ phase, index: indexFor(filter, phase, counts) }] : [];
  });
}

/** That with the fewest jobs in it. SQLite knows no numbers, and would take any. */
function indexFor(filter: Filter, phase: Phase | null, counts: Counts): Walk["index"] {
  const those: readonly (readonly [Walk["index"], number, boolean])[] = [
    ["jobs_owner", counts.ofOwner, filter.owner !== null],
    ["jobs_definition", counts.ofDefinition, filter.definition !== undefined],
    ["jobs_phase", counts.ofPhase, phase !== null],
    ["jobs_created", counts.jobs, true],
  ];
  const usable = those.filter(([, , isUsable]) => isUsable).toSorted(([, one], [, other]) => one - other);
  return usable[0]?.[0] ?? "jobs_created";
}

function queryOf(walks: readonly Walk[], filter: Filter, columns: string): { sql: string; values: SqlValue[] } {
  const order = filter.above ? "ASC" : "DESC";
  const limit = filter.last === null ? "" : " LIMIT ? + 0";
  const last: SqlValue[] = filter.last === null ? [] : [filter.last];
  const parts = walks.map((walk) => partOf(walk, filter));
  const walked = parts.map(
    ({ sql }) =>
      `SELECT * FROM (SELECT ${columns} FROM jobs ${sql} ORDER BY created_at ${order}, seq ${order}${limit})`,
  );
  return {
    sql: `${walked.join(" UNION ALL ")} ORDER BY createdAt ${order}, seq ${order}${limit}`,
    values: [...parts.flatMap(({ values }) => [...values, ...last]), ...last],
  };
}

function partOf({ phase, index }: Walk, filter: Filter): { sql: string; values: SqlValue[] } {
  const { after, owner, definition, below, above } = filter;
  const conditions: readonly (readonly [string, readonly SqlValue[]])[] = [
    phase === null ? ["phase <> 'ARCHIVED'", []] : ["phase = ?", [phase]],
    // What was run for messages by `work -- COMMAND` has the empty name of that.
    ...(definition === undefined ? [] : [["coalesce(definition, '') = ?", [definition ?? ""]] as const]),
    ...(owner === null ? [] : [["owner = ?", [owner]] as const]),
    ...(after === null ? [] : [["created_at > ?", [after]] as const]),
    ...(below ? [["(created_at, seq) < (?, ?)", [below.createdAt, below.seq]] as const] : []),
    ...(above ? [["(created_at, seq) > (?, ?)", [above.createdAt, above.seq]] as const] : []),
  ];
  const sql = conditions.map(([condition]) => condition).join(" AND ");
  return { sql: `INDEXED BY ${index} WHERE ${sql}`, values: conditions.flatMap(([, values]) => values) };
}
