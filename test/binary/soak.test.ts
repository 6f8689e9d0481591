import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { filesOf, idsOf, statusOf } from "../support/processes.ts";
import { COMPILED } from "./forms.ts";
import { Place, type Running } from "./place.ts";

setDefaultTimeout(120_000);

const JOBS = 5000;
/** What the program keeps ready once it has done everything once. */
const WARM_UP = 1000;
const MOST_GROWTH_KB = 10 * 1024;

const shell = (script: string): string[] => ["sh", "-c", script];
const HANDLER = { "exit-handler": ["true"] };

/** One in so many jobs is of the other kind; all the rest are `/bin/true`. */
const KINDS: readonly (readonly [every: number, job: object])[] = [
  [10, { command: ["true"], timeout: "1h", "execution-duration": "1h" }],
  [25, { command: ["false"] }],
  [50, { command: shell("head -c 20000 /dev/zero; echo small > $REEVE_RESULTS/small; echo x > $REEVE_WORKDIR/x") }],
  [125, { command: shell("setsid sleep 1000 & sleep 1000"), timeout: "5ms", grace: "1s" }],
  [200, { command: shell("kill -SEGV $$"), ...HANDLER }],
  [250, { command: shell("sleep 0.3"), "run-id": "to be aborted" }],
  [500, { command: ["/no/such/program"] }],
];

function jobOf(index: number): object {
  const [, job] = KINDS.findLast(([every]) => index % every === 0) ?? [1, { command: ["true"] }];
  return job;
}

/** What the process holds of the system. */
function holdings(pid: number) {
  const watches = readdirSync(`/proc/${pid}/fdinfo`).map(
    (name) =>
      readFileSync(`/proc/${pid}/fdinfo/${name}`, "utf8")
        .split("\n")
        .filter((line) => line.startsWith("inotify")).length,
  );
  return {
    files: filesOf(pid)
      .map((path) => path.replaceAll(/(?<=reeve-[0-9a-f]{12}-)\d+/g, "N"))
      .toSorted(),
    watches: watches.reduce((sum, count) => sum + count, 0),
    children: readdirSync("/proc")
      .map(Number)
      .filter((other) => idsOf(other)?.parent === pid),
  };
}

/** Resident memory in KiB. */
const memoryOf = (pid: number): number => Number.parseInt(statusOf(pid, "VmRSS") ?? "", 10);

/** Has so many jobs run, some of them aborted; gives the memory that the worker had meanwhile. */
async function runAll(place: Place, { pid }: Running, count: number): Promise<number[]> {
  const memory: number[] = [];
  await place.submitBatch(Array.from({ length: count }, (_, index) => jobOf(index)));
  const database = new Database(`${place.store}/reeve.db`, { readonly: true });
  const anyOf = (condition: string): string | undefined =>
    database.query<{ id: string }, []>(`SELECT id FROM jobs WHERE ${condition} LIMIT 1`).get()?.id;
  await eventually(
    "all have ended",
    async () => {
      memory.push(memoryOf(pid));
      const running = anyOf("phase = 'EXECUTING' AND run_id IS NOT NULL AND abort_by IS NULL");
      if (running) await place.reeve("abort", "--no-wait", running);
      return !anyOf("phase IN ('QUEUED', 'EXECUTING')");
    },
    100_000,
  );
  database.close();
  return memory;
}

test(`after ${JOBS} jobs a worker holds what it held before: descriptors, watches, children, memory`, async () => {
  await using place = new Place(COMPILED);
  place.write("reeve.toml", '[store]\ndurability = "normal"\n');
  const worker = await place.worker(["--concurrency", "4"]);
  const atFirst = await runAll(place, worker, WARM_UP);
  const before = holdings(worker.pid);
  await runAll(place, worker, JOBS / 2);
  const atLast = await runAll(place, worker, JOBS / 2);
  expect(holdings(worker.pid)).toEqual(before);
  // Garbage lies about until it is collected: what counts is how far it comes down.
  expect(Math.min(...atLast) - Math.max(...atFirst)).toBeLessThan(MOST_GROWTH_KB);
  worker.signal("SIGTERM");
  expect((await worker.ended).signal).toBe("SIGTERM");
});
