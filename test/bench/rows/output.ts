import { rmSync } from "node:fs";
import { join } from "node:path";
import { LiveWorker } from "../live-worker.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

const MEBIBYTE = 1024 * 1024;

/** A job that writes much, against the same command whose output the shell sends to a file. */
export const output: Row = {
  name: "output",
  async *measure(at) {
    await using worker = await LiveWorker.start(at, 1);
    const megabytes = at.quick ? 256 : 1024;
    const [ours = [], shell = []] = await inTurn(at.quick ? 3 : 5, [
      () => asJob(worker, at, megabytes),
      () => redirected(at, megabytes),
    ]);
    const rate = (times: readonly number[]): string => `${Math.round((megabytes / median(times)) * 1000)} MiB/s`;
    yield {
      row: `${megabytes} MiB of output`,
      ours: rate(ours),
      yardstick: rate(shell),
      value: medianRatio(shell, ours),
      goal: { atLeast: 0.9 },
    };
  },
};

async function asJob(worker: LiveWorker, at: Surroundings, megabytes: number): Promise<number> {
  await settleDisk(at);
  const milliseconds = await timed(() => worker.run(writer(megabytes), at.directory));
  rmSync(join(worker.store.location.directory, "jobs"), { recursive: true });
  return milliseconds;
}

async function redirected(at: Surroundings, megabytes: number): Promise<number> {
  await settleDisk(at);
  const file = join(at.newDirectory(), "output");
  const milliseconds = await timed(() => at.run(["sh", "-c", '"$@" > "$0"', file, ...writer(megabytes)]));
  rmSync(file);
  return milliseconds;
}

const writer = (megabytes: number): string[] => ["head", "-c", String(megabytes * MEBIBYTE), "/dev/zero"];

/** What earlier rounds left for the kernel to write back would slow down whoever comes next. */
const settleDisk = (at: Surroundings): Promise<void> => at.run(["sync"]);
