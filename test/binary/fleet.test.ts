import { expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "bun:sqlite";
import { readdirSync } from "node:fs";
import type { JobDocument } from "../../src/uws/document.ts";
import { Random } from "../simulation/random.ts";
import { eventually, within } from "../support/eventually.ts";
import { ALONE } from "./alone.ts";
import { COMPILED } from "./forms.ts";
import { describeDone, Place } from "./place.ts";

setDefaultTimeout(300_000);

const JOBS = 2000;
const WORKERS = 50;
const AT_ONCE = 4;

/** Some of each: quick, slow, with children of sessions of their own and such as obey nobody, failing at first. */
const CHORES = [
  ":",
  "sleep 0.01",
  "(trap '' TERM; sleep 0.02) & wait",
  "setsid sleep 0.02 & wait",
  "setsid env -i sleep 1000 &",
  'test "$REEVE_ATTEMPT" -gt 1 || exit 3',
];

const SCRIPT = `${ALONE}; eval "$1"; echo "$REEVE_JOB_ID $REEVE_ATTEMPT" >> ran`;

// What becomes of a job that is lost again and again, or fails, is another test's.
const CONFIGURATION = `[store]
durability = "normal"
[worker]
recovery_interval = "100ms"
[jobs.chore]
command = ["sh", "-c", ${JSON.stringify(SCRIPT)}, "sh", "{param.chore}"]
params.chore = { type = "string", required = true }
max_lost = 1000
max_attempts = 1000
backoff = "1ms"
grace = "100ms"
`;

/** Starts a worker, and ends it at a moment that is nothing to it. */
async function shortLife(place: Place, random: Random): Promise<void> {
  const [livesMs, signal] = [random.between(0, 1200), random.pick(["SIGKILL", "SIGKILL", "SIGTERM"] as const)];
  const worker = place.start(["work", "--concurrency", String(random.between(1, 4))]);
  const deadline = performance.now() + livesMs;
  const timeIsUp = eventually("its time has come", () => performance.now() >= deadline).then(() => null);
  const early = await Promise.race([timeIsUp, worker.ended]);
  if (early) throw new Error(`it ended by itself: ${describeDone(["work"], early)}`);
  worker.signal(signal);
  expect((await worker.ended).signal).toBe(signal);
}

async function fleet(place: Place, random: Random): Promise<void> {
  let left = WORKERS;
  const oneByOne = async (): Promise<void> => {
    while (left-- > 0) await shortLife(place, random);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, oneByOne));
}

type Attempt = JobDocument["jobInfo"]["attempts"][number];

const isLost = ({ ending }: Attempt): boolean => ending === "lost";
const isStopped = ({ cause }: Attempt): boolean => cause === "stop";
const isFailure = ({ exitCode, cause }: Attempt): boolean => exitCode === 3 && cause === null;
const isSuccess = ({ exitCode, cause }: Attempt): boolean => exitCode === 0 && cause === null;

/** What its record says that cannot be, given the lines that its attempts wrote at their ends. */
function contradictions({ jobId, phase, jobInfo }: JobDocument, lines: ReadonlySet<string>): string[] {
  const { attempts } = jobInfo;
  const earlier = attempts.slice(0, -1);
  const claims: readonly (readonly [string, boolean])[] = [
    ["it is COMPLETED", phase === "COMPLETED"],
    ["its last attempt succeeded", attempts.slice(-1).some(isSuccess)],
    ["that one ran to its end", lines.has(`${jobId} ${attempts.length}`)],
    [
      "each earlier one was lost, stopped or failed",
      earlier.every((one) => isLost(one) || isStopped(one) || isFailure(one)),
    ],
    ["attempts are counted", attempts.every(({ number }, index) => number === index + 1)],
    ["losses are counted", jobInfo.lost === attempts.filter(isLost).length],
    ["failures are counted", jobInfo.failures === attempts.filter(isFailure).length],
  ];
  return claims.flatMap(([claim, holds]) => (holds ? [] : [`${jobId}: not so: ${claim}: ${JSON.stringify(attempts)}`]));
}

function workerRows({ store }: Place): unknown[] {
  const database = new Database(`${store}/reeve.db`, { readonly: true });
  try {
    return database.query("SELECT id FROM workers").all();
  } finally {
    database.close();
  }
}

test(`${WORKERS} workers started and killed over ${JOBS} jobs: none is lost, or beside itself, and nothing is left`, async () => {
  const seed = Number(process.env["REEVE_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`REEVE_TEST_SEED=${seed}`);
  const random = new Random(seed);
  await using place = new Place(COMPILED);
  place.write("reeve.toml", CONFIGURATION);
  const jobs = Array.from({ length: JOBS }, () => ({ job: "chore", params: { chore: random.pick(CHORES) } }));
  const ids = await place.submitBatch(jobs);
  await fleet(place, random);
  const drained = place.start(["work", "--drain", "--concurrency", "4"]).ended;
  expect(await within("all jobs are done", drained, 240_000)).toMatchObject({ code: 0 });

  expect(place.read("twice")).toBe("");
  const all = await place.list();
  expect(all.map(({ jobId }) => jobId).toSorted()).toEqual(ids.toSorted());
  const lines = place.lines("ran");
  expect(new Set(lines).size).toBe(lines.length);
  expect(all.flatMap((job) => contradictions(job, new Set(lines)))).toEqual([]);
  const attempts = all.flatMap(({ jobInfo }) => jobInfo.attempts);
  // How many, the machine decides.
  expect(attempts.filter((one) => isLost(one) || isStopped(one)).length).toBeGreaterThan(0);
  expect(place.processes()).toEqual([]);
  expect(readdirSync(`${place.store}/workers`)).toEqual([]);
  expect(workerRows(place)).toEqual([]);
});
