import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesOf } from "../../../src/store/outputs.ts";
import { only } from "../../support/temporary.ts";
import { milliseconds, perSecond, type Line } from "../line.ts";
import { LiveWorker } from "../live-worker.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

const CONCURRENCY = 4;

const MODULE = `import { defineJob } from "reeve";
const now = () => performance.timeOrigin + performance.now();
export const nothing = defineJob({ run() {} });
export const nothingWarm = defineJob({ warm: ${CONCURRENCY}, run() {} });
export const tell = defineJob({ run() { console.log(now()); } });
export const tellWarm = defineJob({ warm: 1, run() { console.log(now()); } });
export const talk = defineJob({ params: { n: "integer" }, async run({ params, progress }) {
  const begun = performance.now();
  for (let i = 1; i <= params.n; i++) await progress(i / params.n);
  console.log(performance.now() - begun);
} });
`;

/** Jobs that are functions, against a loop that has the same binary import the same module; and what they say. */
export const functions: Row = {
  name: "functions",
  async *measure(at) {
    const file = writeModule(at);
    yield* rates(at, file);
    await using worker = await LiveWorker.start(at, 1, "normal", ["--jobs", file]);
    yield await latency(worker, at);
    yield* messages(worker, at);
  },
};

/** What the module imports is there for both: the loop's children find it beside them. */
function writeModule(at: Surroundings): string {
  const directory = at.newDirectory();
  const api = join(directory, "node_modules/reeve");
  mkdirSync(api, { recursive: true });
  writeFileSync(join(api, "package.json"), '{ "name": "reeve", "type": "module", "exports": "./index.js" }');
  writeFileSync(join(api, "index.js"), "export const defineJob = (job) => job;\n");
  const file = join(directory, "jobs.ts");
  writeFileSync(file, MODULE);
  return file;
}

async function* rates(at: Surroundings, file: string): AsyncIterable<Line> {
  const loop = await at.compiled("module-loop");
  // So many that the start of the worker hardly matters.
  const jobs = at.quick ? 400 : 1000;
  const [bare = [], cold = [], warm = []] = await inTurn(at.quick ? 3 : 7, [
    () => timed(() => at.run([loop, at.reeve, file, String(jobs), String(CONCURRENCY)])),
    () => drain(at, file, "nothing", jobs),
    () => drain(at, file, "nothingWarm", jobs),
  ]);
  const rate = (times: readonly number[]): string => perSecond((jobs / median(times)) * 1000);
  yield {
    row: `functions/s, ${CONCURRENCY} at once`,
    ours: rate(cold),
    yardstick: rate(bare),
    // Times, so the faster of the two is above.
    value: medianRatio(bare, cold),
    goal: { atLeast: 0.8 },
  };
  yield {
    row: `the same with warm = ${CONCURRENCY}, beside without`,
    ours: rate(warm),
    yardstick: rate(cold),
    value: medianRatio(cold, warm),
    goal: { atLeast: 0.8 },
  };
}

/** Milliseconds in which a worker runs a store of them. */
async function drain(at: Surroundings, file: string, job: string, jobs: number): Promise<number> {
  const { directory, options } = at.newStore("normal");
  const batch = `${directory}.ndjson`;
  writeFileSync(batch, `${JSON.stringify({ job })}\n`.repeat(jobs));
  const all = ["--jobs", file, ...options];
  await at.run([at.reeve, "submit", "--quiet", "--batch", batch, ...all]);
  return timed(() => at.run([at.reeve, "work", "--drain", "--quiet", "--concurrency", String(CONCURRENCY), ...all]));
}

/** Long enough for a process that is to wait to be ready. */
const REST_MS = 150;

/** From a submit to the first line of the function. */
async function latency(worker: LiveWorker, at: Surroundings): Promise<Line> {
  const [cold = [], warm = []] = await inTurn(at.quick ? 30 : 100, [
    () => begun(worker, "tell"),
    () => begun(worker, "tellWarm"),
  ]);
  return {
    row: "submit → function running, warm beside cold, p50",
    ours: milliseconds(median(warm)),
    yardstick: milliseconds(median(cold)),
    value: median(warm) / median(cold),
    goal: { atMost: 0.33 },
  };
}

async function begun(worker: LiveWorker, definition: string): Promise<number> {
  await Bun.sleep(REST_MS);
  const start = performance.timeOrigin + performance.now();
  return (await printed(worker, definition)) - start;
}

/** The number that the job writes. */
async function printed(worker: LiveWorker, definition: string, n?: number): Promise<number> {
  const job = await worker.runJob(definition, n === undefined ? {} : { n: String(n) });
  if (job.phase !== "COMPLETED") throw new Error(`${definition} became ${job.phase}: ${job.error}`);
  return Number(new TextDecoder().decode(bytesOf(only(worker.store.outputs.outputs(job.seq)))));
}

/** Each is written before the next; the worker reads them meanwhile. */
async function* messages(worker: LiveWorker, at: Surroundings): AsyncIterable<Line> {
  const count = at.quick ? 300_000 : 1_000_000;
  await printed(worker, "talk", 1000);
  const before = peakMebibytes(worker.pid);
  const times: number[] = [];
  const said: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    times.push(await timed(async () => void said.push(await printed(worker, "talk", count))));
  }
  yield {
    row: `messages/s of one function, to its end (${count})`,
    ours: perSecond((count / median(times)) * 1000),
    yardstick: `${perSecond((count / median(said)) * 1000)} said`,
    value: (count / median(times)) * 1000,
    unit: "/s",
    goal: { atLeast: 100_000 },
  };
  const after = peakMebibytes(worker.pid);
  yield {
    row: "memory of the worker that hears them, at its peak",
    ours: `${after.toFixed(1)} MiB`,
    yardstick: `${before.toFixed(1)} MiB`,
    value: after - before,
    unit: " MiB more",
    goal: { atMost: 64 },
  };
}

const peakMebibytes = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
