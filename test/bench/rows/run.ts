import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { milliseconds, type Line } from "../line.ts";
import { inTurn, median, timed } from "../statistics.ts";
import type { Row, Surroundings } from "../surroundings.ts";

/** What `reeve run` adds to a command, against timeout(1) and a compiled hello world. */
export const run: Row = {
  name: "run",
  async *measure(at) {
    const { options } = at.newStore("full");
    const supervised = [at.reeve, "run", ...options, "--"];
    const programs = [[...supervised, "true"], ["timeout", "10", "true"], [await at.compiled("hello")]];
    // Once before, for the store and what the kernel keeps in memory.
    for (const argv of programs) await at.run(argv);
    const measures = programs.map((argv) => () => timed(() => at.run(argv)));
    const [ours = [], timeout = [], hello = []] = await inTurn(at.quick ? 15 : 40, measures);
    yield added("run: true, beside timeout(1)", ours, timeout);
    yield added("run: true, beside a hello world", ours, hello);
    yield memoryLine(await peak(at, [...supervised, "sleep", "1000"]), await peak(at, [await at.compiled("idle")]));
  },
};

function added(row: string, ours: readonly number[], yardstick: readonly number[]): Line {
  return {
    row,
    ours: milliseconds(median(ours)),
    yardstick: milliseconds(median(yardstick)),
    value: median(ours.map((value, index) => value - (yardstick[index] ?? Number.NaN))),
    unit: " ms",
    goal: { atMost: 30 },
  };
}

const mebibytes = (value: number): string => `${value.toFixed(1)} MiB`;

function memoryLine(ours: number, yardstick: number): Line {
  return {
    row: "run: peak memory, beside an idle program",
    ours: mebibytes(ours),
    yardstick: mebibytes(yardstick),
    value: ours - yardstick,
    unit: " MiB",
    goal: { atMost: 60 },
  };
}

/** The peak of its resident memory, in MiB, when it has begun to wait. What getrusage(2) tells would begin with ours. */
async function peak(at: Surroundings, argv: readonly string[]): Promise<number> {
  const child = at.start(argv, at.newDirectory());
  await eventually("it waits", () => isAtRest(child.pid));
  const kibibytes = readFileSync(join("/proc", String(child.pid), "status"), "utf8").match(/^VmHWM:\s+(\d+)/m)?.[1];
  child.kill();
  await child.exited;
  return Number(kibibytes) / 1024;
}

/** How often each process was found asleep without having been awake since. */
const asleep = new Map<number, { readonly ticks: string; readonly looks: number }>();

function isAtRest(pid: number): boolean {
  const switches = /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
  const before = asleep.get(pid);
  const looks = before?.ticks === switches ? before.looks + 1 : 0;
  asleep.set(pid, { ticks: switches, looks });
  return looks >= 20;
}
