import { writeFileSync } from "node:fs";
import type { Containment } from "../../../src/config/definition.ts";
import { findGroups } from "../../../src/process/containment.ts";
import { runtime } from "../../../src/runtime/index.ts";
import { eventually } from "../../support/eventually.ts";
import { order, processPlace } from "../../support/process-place.ts";
import { endAll, isLiving, livingWithArgument, newMark, procText } from "../../support/processes.ts";
import { limits } from "../../support/temporary.ts";
import { milliseconds, perSecond, type Line } from "../line.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

/** One way to hold a job, and what a line of a batch says for it. */
interface Way {
  readonly name: string;
  readonly containment: Containment;
  readonly job: object;
}

const MARKS: Way = { name: "marks", containment: "marks", job: {} };

const WAYS: readonly Way[] = [
  { name: "a control group", containment: "cgroup", job: {} },
  { name: "a pid namespace", containment: "marks", job: { isolate: "pid" } },
  { name: "outliving its worker", containment: "marks", job: { outlive: true } },
  { name: "limits that a shell sets", containment: "marks", job: { limits: { open_files: 100 } } },
  { name: "a limit of memory", containment: "marks", job: { limits: { memory: "100MB", optional: true } } },
];

const CONCURRENCY = 4;
const TREE = 50;
const HAS_GROUPS = typeof findGroups(runtime) !== "string";

/** What each way to hold a job adds to it, and what it takes to end a tree, against its marks alone and a mere kill. */
export const containment: Row = {
  name: "containment",
  async *measure(at) {
    yield* additions(at);
    for (const rung of ["cgroup", "pid", "marks"] as const) if (rung !== "cgroup" || HAS_GROUPS) yield ending(at, rung);
  },
};

async function* additions(at: Surroundings): AsyncIterable<Line> {
  const jobs = at.quick ? 400 : 1000;
  const ways = WAYS.filter((way) => way.containment !== "cgroup" || HAS_GROUPS);
  const measures = [MARKS, ...ways].map((way) => () => drain(at, way, jobs));
  const [marks = [], ...all] = await inTurn(at.quick ? 5 : 9, measures);
  for (const [index, { name }] of ways.entries()) yield addition(name, jobs, all[index] ?? [], marks);
}

function addition(name: string, jobs: number, ours: readonly number[], marks: readonly number[]): Line {
  const rate = (times: readonly number[]): string => perSecond((jobs / median(times)) * 1000);
  const row = `jobs/s, /bin/true, ${CONCURRENCY} at once, with ${name}`;
  if (name === "a control group") {
    return { row, ours: rate(ours), yardstick: rate(marks), value: medianRatio(marks, ours), goal: { atLeast: 0.8 } };
  }
  const added = ours.map((time, index) => ((time - (marks[index] ?? Number.NaN)) / jobs) * CONCURRENCY);
  return { row, ours: rate(ours), yardstick: rate(marks), value: median(added), unit: " ms more", goal: { atMost: 5 } };
}

/** Milliseconds in which a worker runs so many jobs. */
async function drain(at: Surroundings, { containment: rung, job }: Way, jobs: number): Promise<number> {
  const { directory, options } = at.newStore("normal", `[worker]\ncontainment = "${rung}"\n`);
  const batch = `${directory}.ndjson`;
  writeFileSync(batch, `${JSON.stringify({ command: ["/bin/true"], ...job })}\n`.repeat(jobs));
  await at.run([at.reeve, "submit", "--quiet", "--batch", batch, ...options]);
  const work = [at.reeve, "work", "--drain", "--quiet", "--concurrency", String(CONCURRENCY), ...options];
  return timed(() => at.run(work));
}

async function ending(at: Surroundings, rung: "cgroup" | "pid" | "marks"): Promise<Line> {
  const rounds = at.quick ? 7 : 20;
  const [ours = [], yardstick = []] = await inTurn(rounds, [() => supervised(rung), killed]);
  return {
    row: `abort → a tree of ${TREE} is gone, ${rung}`,
    ours: milliseconds(median(ours)),
    yardstick: milliseconds(median(yardstick)),
    value: median(ours.map((value, index) => value - (yardstick[index] ?? Number.NaN))),
    unit: " ms more",
    goal: { atMost: 50 },
  };
}

const SCRIPT = `i=1; while [ $i -lt ${TREE} ]; do sleep "$MARK" & i=$((i + 1)); done; exec sleep "$MARK"`;

const sleeping = (mark: string): Promise<number[]> =>
  eventually("all sleep", () => {
    const pids = livingWithArgument(mark).filter((pid) => procText(pid, "comm") === "sleep\n");
    return pids.length === TREE && pids;
  });

async function supervised(rung: "cgroup" | "pid" | "marks"): Promise<number> {
  using place = processPlace({ containment: rung === "cgroup" ? "cgroup" : "marks" });
  const tree = place.start(SCRIPT, { limits: limits({ isolate: rung === "pid" ? "pid" : "none" }) });
  await sleeping(place.mark);
  return await timed(async () => {
    tree.stop(order(10_000));
    await tree.exited;
    await tree.gone(order(10_000));
  });
}

/** What nothing can be faster than: one signal to one group, until all of it has ended. */
async function killed(): Promise<number> {
  const mark = newMark();
  const child = Bun.spawn(["sh", "-c", SCRIPT], { env: { ...process.env, MARK: mark }, detached: true });
  const pids = await sleeping(mark);
  const time = await timed(async () => {
    process.kill(-child.pid, "SIGTERM");
    await child.exited;
    await eventually("all have ended", () => !pids.some(isLiving));
  });
  endAll(pids);
  return time;
}
