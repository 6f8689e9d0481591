import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuMilliseconds } from "../../support/processor-time.ts";
import type { Line } from "../line.ts";
import { LiveWorker } from "../live-worker.ts";
import type { Row } from "../surroundings.ts";

const SETTLE_MS = 3000;

/** What a worker costs that has nothing to do, against an idle program with a database open. */
export const idle: Row = {
  name: "idle",
  async *measure(at) {
    await using worker = await LiveWorker.start(at, 4);
    const other = at.start([await at.compiled("idle"), join(at.newDirectory(), "one.db")]);
    await Bun.sleep(SETTLE_MS);
    const pids = [worker.pid, other.pid];
    const before = pids.map(cpuMilliseconds);
    const spanMs = at.quick ? 10_000 : 60_000;
    await Bun.sleep(spanMs);
    const shares = pids.map((pid, index) => ((cpuMilliseconds(pid) - (before[index] ?? 0)) / spanMs) * 100);
    const memory = pids.map(proportionalMebibytes);
    other.kill();
    await other.exited;
    yield cpuLine(shares);
    yield memoryLine(memory);
  },
};

function cpuLine([ours = 0, yardstick = 0]: readonly number[]): Line {
  return {
    row: "idle worker: processor time",
    ours: percent(ours),
    yardstick: percent(yardstick),
    value: ours,
    unit: " %",
    goal: { atMost: 0.1 },
  };
}

function memoryLine([ours = 0, yardstick = 0]: readonly number[]): Line {
  return {
    row: "idle worker: memory (PSS)",
    ours: mebibytes(ours),
    yardstick: mebibytes(yardstick),
    value: ours / yardstick,
    goal: { atMost: 1.5 },
  };
}

const percent = (value: number): string => `${value.toFixed(3)} %`;

const mebibytes = (value: number): string => `${value.toFixed(1)} MiB`;

/** Its own memory, and its share of what it has in common with others. */
function proportionalMebibytes(pid: number): number {
  const kibibytes = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m)?.[1];
  return Number(kibibytes) / 1024;
}
