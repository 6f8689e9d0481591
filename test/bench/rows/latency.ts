import { bytesOf } from "../../../src/store/outputs.ts";
import { only } from "../../support/temporary.ts";
import { milliseconds, type Line } from "../line.ts";
import { LiveWorker } from "../live-worker.ts";
import { inTurn, quantile } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

/** Writes when it runs, in nanoseconds since 1970. */
const TELL_TIME = ["date", "+%s%N"];

const IDLE_MS = 20;

/** From a submit to the running child, with a worker that has nothing to do, against the spawn alone. */
export const latency: Row = {
  name: "latency",
  async *measure(at) {
    await using worker = await LiveWorker.start(at, 1);
    const rounds = at.quick ? 60 : 200;
    const [ours = [], spawn = []] = await inTurn(rounds, [() => submitted(worker, at), () => spawned(at)]);
    yield line("submit → child running, p50", ours, spawn, 0.5);
    yield line("submit → child running, p99", ours, spawn, 0.99);
  },
};

function line(row: string, ours: readonly number[], spawn: readonly number[], part: number): Line {
  const [us, alone] = [quantile(ours, part), quantile(spawn, part)];
  return {
    row,
    ours: milliseconds(us),
    yardstick: milliseconds(alone),
    value: us - alone,
    unit: " ms more",
    goal: { atMost: 5 },
  };
}

async function submitted(worker: LiveWorker, at: Surroundings): Promise<number> {
  await Bun.sleep(IDLE_MS);
  const start = nextMillisecond();
  const job = await worker.run(TELL_TIME, at.directory);
  const told = bytesOf(only(worker.store.outputs.outputs(job.seq)));
  return since(start, new TextDecoder().decode(told));
}

async function spawned(at: Surroundings): Promise<number> {
  await Bun.sleep(IDLE_MS);
  const start = nextMillisecond();
  const child = Bun.spawn(TELL_TIME, { env: at.environment, stdin: "ignore", stderr: "ignore", detached: true });
  return since(start, await child.stdout.text());
}

/** Waits until the clock steps, so that its millisecond is exact to a few microseconds. */
function nextMillisecond(): number {
  const before = Date.now();
  for (;;) {
    const now = Date.now();
    if (now !== before) return now;
  }
}

const since = (start: number, told: string): number => Number(BigInt(told.trim()) - BigInt(start) * 1_000_000n) / 1e6;
