import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Durability } from "../../../src/store/database.ts";
import { writeNoop } from "../../support/noop.ts";
import { perSecond, type Line } from "../line.ts";
import { inTurn, median, medianRatio, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

interface Program {
  readonly name: string;
  readonly path: string;
  /** So many that the start of the worker does not matter. */
  readonly jobs: number;
  readonly goals: Readonly<Record<Durability, number>>;
}

const CONCURRENCIES = [1, 2, 4];

/** Jobs per second through the binary, against a loop that only spawns and waits. */
export const throughput: Row = {
  name: "throughput",
  async *measure(at) {
    const loop = await at.compiled("spawn-loop");
    for (const program of programs(at)) {
      for (const concurrency of CONCURRENCIES) yield* measureOne(at, loop, program, concurrency);
    }
  },
};

function programs(at: Surroundings): Program[] {
  const noop = writeNoop(join(at.directory, "noop"));
  const scale = at.quick ? 0.5 : 1;
  return [
    { name: "/bin/true", path: "/bin/true", jobs: 2000 * scale, goals: { normal: 0.9, full: 0.75 } },
    { name: "smallest program", path: noop, jobs: 5000 * scale, goals: { normal: 0.5, full: 0.35 } },
  ];
}

async function* measureOne(at: Surroundings, loop: string, program: Program, concurrency: number): AsyncIterable<Line> {
  const bare = (): Promise<number> =>
    timed(() => at.run([loop, program.path, String(program.jobs), String(concurrency)]));
  const [yardstick = [], normal = [], full = []] = await inTurn(at.quick ? 5 : 9, [
    bare,
    () => drain(at, program, concurrency, "normal"),
    () => drain(at, program, concurrency, "full"),
  ]);
  for (const [durability, ours] of [["normal", normal] as const, ["full", full] as const]) {
    yield {
      row: `jobs/s, ${program.name}, ${concurrency} at once, ${durability}`,
      ours: perSecond((program.jobs / median(ours)) * 1000),
      yardstick: perSecond((program.jobs / median(yardstick)) * 1000),
      // Times, so the faster of the two is above.
      value: medianRatio(yardstick, ours),
      goal: { atLeast: program.goals[durability] },
    };
  }
}

/** Milliseconds in which a worker runs a store of jobs. */
async function drain(at: Surroundings, program: Program, concurrency: number, durability: Durability): Promise<number> {
  const { directory, options } = at.newStore(durability);
  const batch = `${directory}.ndjson`;
  writeFileSync(batch, `${JSON.stringify({ command: [program.path] })}\n`.repeat(program.jobs));
  await at.run([at.reeve, "submit", "--quiet", "--batch", batch, ...options]);
  return timed(() =>
    at.run([at.reeve, "work", "--drain", "--quiet", "--concurrency", String(concurrency), ...options]),
  );
}
