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

/** One for each phase; where there is nothing to find, none: else all would be looked through for it. */
function walksOf(database: StoreDatabase, filter: Filter): Walk[] {
  const phases: readonly (Phase | null)[] = filter.phases.length > 0 ? [...new Set(filter.phases)] : [null];
  return phases.flatMap((phase) => walkFor(database, filter, phase) ?? []);
}

/** By the index with the fewest jobs in it. SQLite knows no numbers, and would take any. */
function walkFor(database: StoreDatabase, filter: Filter, phase: Phase | null): Walk | null {
  const definition = filter.definition === undefined ? null : (filter.definition ?? "");
  const given = (
    [
      ["jobs_owner", "owner = ?", filter.owner],
      ["jobs_definition", "definition = ?", definition],
      ["jobs_phase", "phase = ?", phase],
    ] as const
  ).filter(([, , value]) => value !== null);
  if (given.length === 0) return { phase, index: "jobs_created" };
  const conditions = given.map(([, condition]) => condition);
  const values = given.map(([, , value]) => value);
  const wanted = sumOf(database, conditions.join(" AND "), values);
  if (wanted === 0) return null;
  const all = given.map(([index, condition, value]) => ({ index, jobs: sumOf(database, condition, [value]) }));
  const [fewest] = all.toSorted((one, other) => one.jobs - other.jobs);
  return { phase, index: fewest?.index ?? "jobs_created" };
}

const sumOf = (database: StoreDatabase, condition: string, values: readonly SqlValue[]): number =>
  database.get<{ jobs: number | null }>(`SELECT sum(jobs) AS jobs FROM job_counts WHERE ${condition}`, ...values)
    ?.jobs ?? 0;

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
