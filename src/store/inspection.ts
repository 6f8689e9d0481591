import type { Database } from "../runtime/port.ts";
import { MIGRATIONS } from "./migrations.ts";

/** What a database says of itself. */
export interface DatabaseFacts {
  /** Steps of the schema that it has been brought through; 0: nothing is in it. */
  readonly version: number;
  /** The oldest version that can work on it; null: it does not say. */
  readonly minReader: number | null;
  /** The version that this program makes of it. */
  readonly ownVersion: number;
  /** Milliseconds since 1970 at which its newest job was made; null: it has none, or cannot be read. */
  readonly newestJobAt: number | null;
  readonly workers: readonly WorkerFacts[];
}

export interface WorkerFacts {
  readonly id: string;
  readonly directory: string;
  readonly host: string;
  readonly pid: number;
  /** What keeps it from its queue, in words; null: it is well. */
  readonly trouble: string | null;
  /** That it has not ended. */
  readonly jobs: number;
}

const BUSY_MS = 2000;

/** Since this version workers say how they are. */
const TELLS_TROUBLE = 2;

const workersAt = (version: number): string => `SELECT id, directory, host, pid,
  ${version >= TELLS_TROUBLE ? "trouble" : "NULL AS trouble"}, (SELECT count(*) FROM jobs INDEXED BY jobs_phase
  WHERE phase IN ('EXECUTING', 'SUSPENDED', 'UNKNOWN') AND worker = workers.id) AS jobs FROM workers ORDER BY started_at`;

/**
 * Reads a database that another version may have made, and changes nothing in it.
 *
 * @throws what the database complains of.
 */
export function inspect(database: Database): DatabaseFacts {
  const first = <Row>(sql: string): Row | undefined => database.prepare<Row>(sql).get();
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  const version = first<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
  const facts = { version, ownVersion: MIGRATIONS.length, minReader: null, newestJobAt: null, workers: [] };
  if (version === 0) return facts;
  const meta = first<{ value: string }>("SELECT value FROM meta WHERE name = 'min_reader'");
  const minReader = meta ? Number(meta.value) : null;
  if ((minReader ?? Number.POSITIVE_INFINITY) > MIGRATIONS.length) return { ...facts, minReader };
  const newest = first<{ at: number | null }>("SELECT max(created_at) AS at FROM jobs");
  const workers = database.prepare<WorkerFacts>(workersAt(version)).all();
  return { ...facts, minReader, newestJobAt: newest?.at ?? null, workers };
}
