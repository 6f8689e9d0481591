import { Database } from "bun:sqlite";
import { SqliteQueue } from "../../../src/queue/sqlite.ts";
import type { Durability } from "../../../src/store/database.ts";
import { newJob, temporaryStore, type TemporaryStore } from "../../support/temporary.ts";
import { claim as claimSome, finish } from "../cycle.ts";
import { perSecond, type Line } from "../line.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

/** Jobs that end and are claimed in one commit, as four slots do it. */
const BATCH = 4;

/** Claim and finish through store and queue, against the statements that this comes to. */
export const claim: Row = {
  name: "claim",
  async *measure(at) {
    for (const durability of ["normal", "full"] as const) yield await measureOne(at, durability);
  },
};

async function measureOne(at: Surroundings, durability: Durability): Promise<Line> {
  const jobs = at.quick ? 4000 : 20_000;
  const [ours = [], bare = []] = await inTurn(at.quick ? 3 : 7, [
    () => throughStore(jobs, durability),
    () => withStatements(jobs, durability),
  ]);
  return {
    row: `claim + finish, ${durability}`,
    ours: perSecond((jobs / median(ours)) * 1000),
    yardstick: perSecond((jobs / median(bare)) * 1000),
    value: medianRatio(bare, ours),
    goal: { atLeast: 0.7 },
  };
}

async function throughStore(jobs: number, durability: Durability): Promise<number> {
  using at = await filledStore(jobs, durability);
  const { store } = at;
  const queue = new SqliteQueue(store, "bench", Date.now);
  // Awaited here, since the store is closed at the end of this block.
  return await timed(async () => {
    for (let claimed = await claimSome(store, queue, BATCH); claimed.length > 0;) {
      const finished = finish(store, claimed);
      claimed = await claimSome(store, queue, BATCH);
      await finished;
    }
  });
}

async function filledStore(jobs: number, durability: Durability): Promise<TemporaryStore> {
  const at = temporaryStore({ durability });
  await at.submit(...Array.from({ length: jobs }, () => newJob()));
  return at;
}

async function withStatements(jobs: number, durability: Durability): Promise<number> {
  using at = await filledStore(jobs, durability);
  const database = new Database(at.store.location.database);
  database.run(`PRAGMA synchronous = ${durability}`);
  database.run("PRAGMA wal_autocheckpoint = 4000");
  const one = new BareCycle(database);
  const milliseconds = await timed(() => {
    while (one.run() > 0);
  });
  database.close();
  return milliseconds;
}

interface Claimed {
  readonly seq: number;
  readonly id: string;
}

/** The same rows read and written, with nothing around the statements. */
class BareCycle {
  readonly #claim;
  readonly #inputs;
  readonly #begin;
  readonly #end;
  readonly #settle;
  readonly #beginTransaction;
  readonly #commit;
  #claimed: Claimed[] = [];

  constructor(database: Database) {
    this.#claim = database.prepare<Claimed, [number]>(
      `UPDATE jobs SET phase = 'EXECUTING', worker = 'bench', attempts = 1, receipt = id || '.1', started_at = ?
        WHERE seq IN (SELECT seq FROM jobs INDEXED BY jobs_ready
          WHERE phase = 'QUEUED' AND available_at IS NULL AND waiting = 0 ORDER BY priority DESC, seq LIMIT ${BATCH})
        RETURNING *`,
    );
    this.#inputs = database.prepare("SELECT context, command, parameters, attributes, body FROM inputs WHERE job = ?");
    this.#begin = database.prepare(
      `INSERT INTO attempts(job, number, worker, directory, message_id, receive_count, started_at)
        VALUES(?, 1, 'bench', '/slot-1', ?, 1, ?)`,
    );
    this.#end = database.prepare(
      `UPDATE attempts SET ended_at = ?, pid = 4711, ending = 'exited', exit_code = 0, user_us = 500, system_us = 500,
        verdict = 'acknowledge', settled_as = 'COMPLETED' WHERE job = ? AND number = 1`,
    );
    this.#settle = database.prepare(
      `UPDATE jobs SET phase = 'COMPLETED', ended_at = ?, destruction = ?, verdict = 'acknowledge', running_ms = 1,
        worker = NULL, receipt = NULL WHERE seq = ?`,
    );
    this.#beginTransaction = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
  }

  /** Ends what was claimed and claims the next. Gives how many that were. */
  run(): number {
    this.#beginTransaction.run();
    this.#step();
    this.#commit.run();
    return this.#claimed.length;
  }

  #step(): void {
    const now = Date.now();
    for (const { seq } of this.#claimed) {
      this.#settle.run(now, now, seq);
      this.#end.run(now, seq);
    }
    this.#claimed = this.#claim.all(now);
    for (const { seq, id } of this.#claimed) {
      this.#inputs.get(seq);
      this.#begin.run(seq, id, now);
    }
  }
}
