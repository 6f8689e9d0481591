import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { bytesOf } from "../../src/store/outputs.ts";
import { Random } from "../simulation/random.ts";
import { eventually } from "../support/eventually.ts";
import { openStore } from "../support/temporary.ts";
import { ALONE } from "./alone.ts";
import { forEachForm, scaled } from "./forms.ts";
import { describeDone, Place } from "./place.ts";

const AT_ONCE = "8";
/** Two hundred starts take half a minute, and much more beside other tests. */
const PATIENCE_MS = 300_000;

/** Begins and ends once, writes all the while, and says of itself what it can. */
const SCRIPT = `${ALONE}; echo "$REEVE_JOB_ID $REEVE_ATTEMPT" >> began
  for step in $(seq "$1"); do echo "step $step"; sleep 0.1; done
  seq "$2"; echo '{"progress":1}' >&3; echo "$1" > "$REEVE_RESULTS/steps"
  echo "$REEVE_JOB_ID $REEVE_ATTEMPT" >> ran; exit "$3"`;

interface Chore {
  readonly steps: number;
  readonly lines: number;
  readonly code: number;
}

const chore = (random: Random): Chore => ({
  steps: random.between(1, 15),
  lines: random.pick([0, 10, 10_000]),
  code: random.pick([0, 0, 0, 9]),
});

const count = (to: number, word = ""): string => Array.from({ length: to }, (_, at) => `${word}${at + 1}\n`).join("");

const commandOf = ({ steps, lines, code }: Chore): string[] => [
  "sh",
  "-c",
  SCRIPT,
  "sh",
  ...[steps, lines, code].map(String),
];

/** Its worker was killed between the claim and the start of the process. */
const wasNeverStarted = (name: string, began: ReadonlySet<string>): boolean => !began.has(name);

/** What has become of one job, and what should have. */
function whatBecameOf(place: Place, ids: readonly string[], began: ReadonlySet<string>) {
  const store = openStore(place.store);
  try {
    return ids.map((id) => {
      const job = store.jobs.byId(id);
      if (!job) return `${id} is not there`;
      const { seq, phase, attempts, progress, failures } = job;
      const all = store.attempts.of(seq);
      const lost = all
        .slice(0, -1)
        .filter(({ ending, number }) => ending === "lost" && wasNeverStarted(`${id} ${number}`, began));
      const outputs = store.outputs.outputs(seq).map((one) => new TextDecoder().decode(bytesOf(one)));
      const results = store.outputs.results(seq).map((one) => new TextDecoder().decode(bytesOf(one)));
      const isAccountedFor = lost.length === attempts - 1;
      return { phase, failures, exitCode: all.at(-1)?.exitCode, isAccountedFor, progress, outputs, results };
    });
  } finally {
    store.close();
  }
}

const expected = ({ steps, lines, code }: Chore) => ({
  phase: code === 0 ? ("COMPLETED" as const) : ("ERROR" as const),
  failures: code === 0 ? 0 : 1,
  exitCode: code,
  isAccountedFor: true,
  progress: 1,
  outputs: [count(steps, "step ") + count(lines)],
  results: [`${steps}\n`],
});

/** One worker after the other: each is ended at a moment that is nothing to it, sometimes after the next has begun. */
async function replaceWorkers(place: Place, times: number, random: Random): Promise<void> {
  const start = () => place.start(["work", "--concurrency", AT_ONCE]);
  let worker = start();
  for (let replaced = 0; replaced < times; replaced += 1) {
    const [livesMs, signal, overlaps] = [
      random.between(0, 120),
      random.pick(["SIGKILL", "SIGTERM"] as const),
      random.chance(0.2),
    ];
    if (random.chance(0.9)) await worker.says('"worker started"');
    const until = performance.now() + livesMs;
    await eventually("its time has come", () => performance.now() >= until);
    const next = overlaps ? start() : null;
    worker.signal(signal);
    const done = await worker.ended;
    if (done.signal !== signal) throw new Error(`it was not ended by ${signal}: ${describeDone(["work"], done)}`);
    worker = next ?? start();
  }
  worker.signal("SIGTERM");
  await worker.ended;
}

forEachForm("jobs that outlive their workers", (form) => {
  const jobs = scaled(form, 300, 12);
  const replacements = scaled(form, 200, 5);

  test(
    `${jobs} of them, over ${replacements} workers: each runs once, and all is known of it`,
    async () => {
      const seed = Number(process.env["REEVE_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
      console.log(`REEVE_TEST_SEED=${seed}`);
      const random = new Random(seed);
      await using place = new Place(form);
      place.write("reeve.toml", '[store]\ndurability = "normal"\n[worker]\nrecovery_interval = "100ms"\n');
      const chores = Array.from({ length: jobs }, () => chore(random));
      const ids = await place.submitBatch(
        chores.map((one) => ({ command: commandOf(one), outlive: true, max_lost: 100 })),
      );
      await replaceWorkers(place, replacements, random);
      await place.drain("--concurrency", AT_ONCE);

      expect(place.read("twice")).toBe("");
      const began = place.lines("began");
      expect(began.map((line) => line.split(" ")[0]).toSorted()).toEqual(ids.toSorted());
      expect(place.lines("ran").toSorted()).toEqual(began.toSorted());
      expect(whatBecameOf(place, ids, new Set(began))).toEqual(chores.map(expected));
      expect(place.processes()).toEqual([]);
      expect(readdirSync(`${place.store}/workers`)).toEqual([]);
      expect(readdirSync(`${place.store}/outlive`)).toEqual([]);
    },
    PATIENCE_MS,
  );
});
