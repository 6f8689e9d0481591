import { expect, test } from "bun:test";
import { Pace } from "../../src/cli/top/pace.ts";
import { screenful } from "../../src/cli/top/screenful.ts";
import { takeSnapshot, type Snapshot, type Surroundings } from "../../src/cli/top/snapshot.ts";
import type { Screen } from "../../src/cli/render/table.ts";
import type { SessionUsage } from "../../src/process/usage.ts";
import { existing, newJob, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const NOW = 1_700_000_100_000;
const PLAIN: Screen = { paint: (text) => text, width: 80 };

const around = (fields: Partial<Surroundings> = {}): Surroundings => ({
  now: () => NOW,
  isAlive: () => true,
  isHere: () => true,
  usage: () => new Map(),
  ...fields,
});

const worker = (id: string) =>
  ({ id, directory: `/${id}`, startedAt: NOW - 60_000, host: "here", pid: 7, bootId: "b", pidNamespace: "n", version: "1", concurrency: 4 }) as const; // prettier-ignore

/** So many jobs that run, the first since the longest; each has its pid, 100 and more. */
async function running({ store }: TemporaryStore, count: number): Promise<void> {
  await store.write(() => {
    store.workers.register(worker("w1"));
    for (let index = 0; index < count; index += 1) {
      const at = NOW - 1000 * (count - index);
      const job = store.submission.begin(newJob({ command: ["job", `number-${index}`] }), "w1", at);
      store.attempts.begin({ job, worker: "w1", directory: "/", messageId: "m", receiveCount: 1, at });
      store.attempts.running(job.seq, 1, 100 + index);
    }
  });
}

const pictured = (at: TemporaryStore, shot: Snapshot, height: number | null, pace = new Pace()): string[] =>
  screenful(at.store, shot, pace, PLAIN, height);

test("of more jobs than there are lines those that run the longest are shown, and how many more there are", async () => {
  using at = temporaryStore();
  await running(at, 30);
  const shot = takeSnapshot(at.store, around());
  const all = pictured(at, shot, null);
  expect(all.filter((line) => line.includes("number-"))).toHaveLength(30);
  for (const height of [12, 20, 24]) {
    const lines = pictured(at, shot, height);
    const shown = lines.filter((line) => line.includes("number-"));
    expect(lines.length).toBeLessThanOrEqual(height);
    expect(shown.map((line) => /number-(\d+)/.exec(line)?.[1])).toEqual(shown.map((_, index) => String(index)));
    expect(lines.at(-1)).toBe(`… and ${30 - shown.length} more`);
  }
  expect(pictured(at, shot, 1).length).toBeGreaterThan(0);
});

test("what is asked of processes is asked of workers that live, and whose pids mean something here", async () => {
  using at = temporaryStore();
  await running(at, 3);
  const asked: number[][] = [];
  const usage = (leaders: ReadonlySet<number>): Map<number, SessionUsage> => {
    asked.push([...leaders].toSorted());
    return new Map([...leaders].map((pid) => [pid, { processes: 1, cpuSeconds: pid, memoryBytes: 4096 }]));
  };
  expect(takeSnapshot(at.store, around({ usage })).running.map((one) => one.usage?.cpuSeconds)).toEqual([
    100, 101, 102,
  ]);
  const dead = takeSnapshot(at.store, around({ usage, isAlive: () => false }));
  takeSnapshot(at.store, around({ usage, isHere: () => false }));
  expect(asked).toEqual([[100, 101, 102], [], []]);
  expect(pictured(at, dead, null).join("\n")).toContain("dead: the next worker recovers its jobs");
});

test("processor time is a share of the time between two pictures, first of all time", async () => {
  using at = temporaryStore();
  await running(at, 1);
  const pace = new Pace();
  const look = (seconds: number, cpuSeconds: number, ended: number) => {
    const usage = () => new Map([[100, { processes: 1, cpuSeconds, memoryBytes: 0 }]]);
    const shot = takeSnapshot(at.store, around({ usage, now: () => NOW + seconds * 1000 }));
    pace.add({ ...shot, ended });
    return existing(shot.running[0]);
  };
  expect(pace.processors(look(1, 0.5, 10))).toBeCloseTo(0.25);
  expect(pace.endsPerSecond).toBeNull();
  expect(pace.processors(look(1.1, 0.6, 11))).toBeCloseTo(0.6 / 2.1);
  expect(pace.processors(look(3, 4.5, 30))).toBeCloseTo(2);
  expect(pace.endsPerSecond).toBe(10);
  // Of a clock that was put back nothing is known.
  expect(pace.processors(look(-50, 5, 31))).toBeNull();
  expect(pace.endsPerSecond).toBeNull();
});

test("what jobs say cannot act on the terminal", async () => {
  using at = temporaryStore();
  await running(at, 1);
  const [job] = at.store.jobs.list({ phases: [], after: null, owner: null, last: 1 });
  const progress = { fraction: 1, message: "\u001b[2J\nevil" };
  await at.store.write(() => at.store.reports.take(existing(job), { progress, heard: 1, allowedMs: null }));
  const text = pictured(at, takeSnapshot(at.store, around()), null).join("\n");
  expect(text).toContain("██████████ 100 %");
  expect(text).toContain("\\u001b[2J evil");
  expect(text).not.toContain("\u001b");
});
