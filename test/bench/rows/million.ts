import { metricsText } from "../../../src/service/metrics.ts";
import { SqliteQueue } from "../../../src/queue/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import { newJob, temporaryStore } from "../../support/temporary.ts";
import { claim, finish } from "../cycle.ts";
import { microseconds } from "../line.ts";
import { inTurn, median, timed } from "../statistics.ts";
import type { Row } from "../surroundings.ts";

const FEW = 1000;
/** One job in so many is still to be run. */
const QUEUED_OF = 10;
const ROWS_A_TRANSACTION = 50_000;

/** What the everyday things take in a store of many jobs, against one of few. */
export const million: Row = {
  name: "million",
  async *measure(at) {
    const many = at.quick ? 200_000 : 1_000_000;
    using large = temporaryStore();
    using small = temporaryStore();
    await fill(large.store, many);
    await fill(small.store, FEW);
    const rounds = at.quick ? 500 : 3000;
    for (const [name, act] of Object.entries(ACTS)) {
      const [ours = [], yardstick = []] = await inTurn(
        rounds,
        [large, small].map(
          ({ store }) =>
            () =>
              act(store),
        ),
      );
      yield {
        row: `${name}, ${many / 1000} 000 jobs against ${FEW / 1000} 000`,
        ours: microseconds(median(ours)),
        yardstick: microseconds(median(yardstick)),
        value: median(ours) / median(yardstick),
        goal: { atMost: 2 },
      };
    }
  },
};

/** Each gives the milliseconds that it takes, and leaves as many jobs to be run as it found. */
const ACTS: Readonly<Record<string, (store: Store) => Promise<number>>> = {
  claim: async (store) => {
    await submitOne(store);
    const queue = new SqliteQueue(store, "bench", Date.now);
    let claimed: Awaited<ReturnType<typeof claim>> = [];
    const milliseconds = await timed(async () => (claimed = await claim(store, queue, 1)));
    await finish(store, claimed);
    return milliseconds;
  },
  "page of list": (store) => timed(() => store.jobs.list({ phases: [], after: null, owner: null, last: 50 })),
  "page of list, one phase": (store) =>
    timed(() => store.jobs.list({ phases: ["COMPLETED"], after: null, owner: null, last: 50 })),
  submit: (store) => timed(() => submitOne(store)),
  "numbers for Prometheus": (store) => timed(() => metricsText({ store, isAlive: () => true, now: Date.now() })),
};

const submitOne = (store: Store, definition: string | null = null): Promise<string[]> =>
  store.write(() => store.submission.submit([newJob({ definition })], Date.now()));

/** Jobs as a worker leaves them; the statements below write what it would write. */
export async function fill(store: Store, jobs: number, definition: string | null = null): Promise<void> {
  await submitOne(store, definition);
  const { database } = store;
  for (let first = 1; first < jobs; first += ROWS_A_TRANSACTION) {
    const last = Math.min(first + ROWS_A_TRANSACTION, jobs) - 1;
    database.transaction(() => {
      database.run(FILL_JOBS, first, last, definition);
      for (const statement of FILL_OTHERS) database.run(statement, first, last);
    });
  }
}

const NUMBERS = "WITH RECURSIVE n(i) AS (VALUES(?1) UNION ALL SELECT i + 1 FROM n WHERE i < ?2)";
/** Long past, so that what is made while measuring is the newest. */
const MADE_AT = "1700000000000 + i * 10";

const FILL_JOBS = `${NUMBERS}
  INSERT INTO jobs(seq, id, definition, phase, created_at, started_at, ended_at, destruction, attempts, verdict)
    SELECT i + 1, lower(hex(randomblob(10))), ?3, iif(queued, 'QUEUED', 'COMPLETED'), made,
      iif(queued, NULL, made + 5), iif(queued, NULL, made + 9), iif(queued, NULL, made + 604800000),
      iif(queued, 0, 1), iif(queued, NULL, 'acknowledge')
    FROM (SELECT i, i % ${QUEUED_OF} = 0 AS queued, ${MADE_AT} AS made FROM n)`;

const FILL_OTHERS = [
  `${NUMBERS} INSERT INTO inputs(job, context, command) SELECT i + 1, 1, '["/bin/true"]' FROM n`,
  `${NUMBERS} INSERT INTO attempts(job, number, worker, directory, message_id, receive_count, started_at, ended_at,
      pid, ending, exit_code, verdict, settled_as)
    SELECT i + 1, 1, 'bench', '/slot-1', 'message', 1, ${MADE_AT} + 5, ${MADE_AT} + 9, 4711, 'exited', 0,
      'acknowledge', 'COMPLETED'
    FROM n WHERE i % ${QUEUED_OF} <> 0`,
];
