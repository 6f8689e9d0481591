import { nothingThere, usageError } from "../errors.ts";
import type { StoreDatabase } from "./database.ts";
import { JOB_COLUMNS, type Context, type Inputs, type Job, type Parameter } from "./job.ts";
import { counted, listed } from "./listing.ts";
import { DEFAULT_LIMITS } from "../config/definition.ts";
import { inlineBody } from "../config/message-body.ts";
import type { Phase } from "./phases.ts";

export interface Filter {
  /** None: all but ARCHIVED. */
  readonly phases: readonly Phase[];
  /** Only jobs created strictly later, in milliseconds since 1970. */
  readonly after: number | null;
  readonly owner: string | null;
  /** Only the newest so many; null: all. */
  readonly last: number | null;
  /** Only jobs of this definition; null: only those without one. Absent: any. */
  readonly definition?: string | null;
  /** Only those that come after this one in the list. */
  readonly below?: Place;
  /** Only those that come before this one, and of them the last. */
  readonly above?: Place;
}

/** Where a job stands in lists: those made in one millisecond in the order in which they were made. */
export type Place = Pick<Job, "createdAt" | "seq">;

/** What a list tells of a job. */
export type JobRef = Pick<Job, "seq" | "id" | "phase" | "runId" | "owner" | "createdAt">;

const REF_COLUMNS = "seq, id, phase, run_id AS runId, owner, created_at AS createdAt";

interface InputsRow {
  readonly contextId: number;
  readonly command: string | null;
  readonly parameters: string | null;
  readonly attributes: string | null;
  readonly body: Uint8Array | null;
  readonly bodyPath: string | null;
  readonly bodySize: number | null;
}

const INPUTS = `SELECT context AS contextId, command, parameters, attributes, body, body_path AS bodyPath,
  body_size AS bodySize FROM inputs WHERE job = ?`;

/** In the words of its index, else that would not be used. */
const COUNT_OPEN = `SELECT count(*) AS jobs FROM (SELECT 1 FROM jobs WHERE owner = ? AND owner IS NOT NULL
  AND phase NOT IN ('COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED') LIMIT ? + 0)`;

/** Reads jobs. */
export class Jobs {
  readonly #database: StoreDatabase;
  /** Contexts are few and never change, so each is parsed once. */
  readonly #contexts = new Map<number, Context>();

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  bySeq(seq: number): Job | undefined {
    return this.#database.get<Job>(`SELECT ${JOB_COLUMNS} FROM jobs WHERE seq = ?`, seq);
  }

  byId(id: string): Job | undefined {
    return this.#database.get<Job>(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`, id);
  }

  /**
   * The one job whose id begins with `prefix`.
   *
   * @throws ReeveError when there is none, or more than one.
   */
  byPrefix(prefix: string): Job {
    const [job, other] = this.#database.all<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id LIMIT 2`,
      prefix.toLowerCase(),
    );
    if (prefix === "") throw usageError("a job's id is empty", "give an id, or any unique beginning of one");
    if (!job) throw this.#absent(prefix.toLowerCase());
    if (other && job.id !== prefix.toLowerCase()) {
      throw usageError(`more than one job begins with ${prefix}: ${job.id}, ${other.id}, …`, "give more of the id");
    }
    return job;
  }

  #absent(prefix: string): Error {
    const grave = this.#database.get<{ id: string; phase: string; at: number }>(
      "SELECT id, phase, forgotten_at AS at FROM tombstones WHERE id >= ?1 AND id < ?1 || '~' LIMIT 1",
      prefix,
    );
    if (!grave) return nothingThere(`no job ${prefix} in this store`, "`reeve list` shows the jobs there are");
    const when = new Date(grave.at).toISOString();
    return nothingThere(`job ${grave.id} was ${grave.phase} and has been forgotten at ${when}`);
  }

  /** The newest first. */
  list(filter: Filter): Job[] {
    return listed<Job>(this.#database, filter, JOB_COLUMNS);
  }

  /** The same, as far as lists name them: to read all of them costs many times as much. */
  refs(filter: Filter): JobRef[] {
    return listed<JobRef>(this.#database, filter, REF_COLUMNS);
  }

  /** How many jobs a list has; no more than `most` are counted. */
  count(filter: Omit<Filter, "last">, most: number): number {
    return counted(this.#database, { ...filter, last: most });
  }

  /** The phases of those of these jobs that there are. */
  phases(seqs: readonly number[]): Map<number, Phase> {
    const rows = this.#database.all<{ seq: number; phase: Phase }>(
      "SELECT seq, phase FROM jobs WHERE seq IN (SELECT value FROM json_each(?))",
      JSON.stringify(seqs),
    );
    return new Map(rows.map(({ seq, phase }) => [seq, phase]));
  }

  /** How many jobs of an owner have not ended; no more than `most` are counted. */
  countOpen(owner: string, most: number): number {
    const row = this.#database.get<{ jobs: number }>(COUNT_OPEN, owner, most);
    return row?.jobs ?? 0;
  }

  countByPhase(): Map<Phase, number> {
    const rows = this.#database.all<{ phase: Phase; jobs: number }>(
      "SELECT phase, count(*) AS jobs FROM jobs GROUP BY phase",
    );
    return new Map(rows.map((row) => [row.phase, row.jobs]));
  }

  /** Dead letters: jobs that were buried and not retried, the newest first. */
  dead(): Job[] {
    return this.#database.all<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs WHERE buried_at IS NOT NULL ORDER BY buried_at DESC, seq DESC`,
    );
  }

  /** @throws when the job has none, which only a damaged store can make true. */
  inputs(seq: number): Inputs {
    const row = this.#database.get<InputsRow>(INPUTS, seq);
    if (!row) throw new Error(`job ${seq} has no inputs`);
    return {
      context: this.#context(row.contextId),
      command: parse<string[]>(row.command),
      parameters: parse<Parameter[]>(row.parameters) ?? [],
      attributes: parse<Record<string, string>>(row.attributes) ?? {},
      body:
        row.bodyPath === null ? inlineBody(row.body) : { kind: "file", path: row.bodyPath, size: row.bodySize ?? 0 },
    };
  }

  /** Whether a job has this file for its body. */
  hasBody(path: string): boolean {
    return this.#database.get("SELECT 1 FROM inputs WHERE body_path = ? LIMIT 1", path) !== undefined;
  }

  #context(id: number): Context {
    const known = this.#contexts.get(id);
    if (known) return known;
    const row = this.#database.get<{ content: string }>("SELECT content FROM contexts WHERE id = ?", id);
    const context = withAllLimits(parse<Context>(row?.content ?? null) ?? { kind: "definition" });
    this.#contexts.set(id, context);
    return context;
  }
}

/** An earlier version knew fewer limits. */
function withAllLimits(context: Context): Context {
  if (context.kind === "definition") return context;
  return { ...context, limits: { ...DEFAULT_LIMITS, ...context.limits } };
}

/** Reads back what this store itself wrote as JSON. */
function parse<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
