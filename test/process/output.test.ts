import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCut } from "../../src/process/output-cut.ts";
import { OutputKeeper } from "../../src/process/output-keeper.ts";
import { MARK_BYTES, marksIn, type Mark } from "../../src/process/output-times.ts";
import type { Launch, Takings } from "../../src/process/port.ts";
import { Probes } from "../../src/process/probes.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Content, Output } from "../../src/store/job.ts";
import { eventually, within } from "../support/eventually.ts";
import { order, processPlace, stoppedItself, textOf, textsOf, type ProcessPlace } from "../support/process-place.ts";
import { existing, limits, only, temporaryDirectory } from "../support/temporary.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const INLINE = 16 * KIB;
const BLOCK = 4096;

const within2MiB = { limits: limits({ outputLimitBytes: 2 * MIB }) };
const within64KiB = { limits: limits({ outputLimitBytes: 64 * KIB }) };
const withTimes = { limits: limits({ timestamps: true }) };

const fileOf = (content: Content): string => (content.kind === "file" ? content.path : "");
const onDisk = (path: string): number => statSync(path).blocks * 512;

/** What is kept of it. */
function keptOf({ content, leftOut = { start: 0, end: 0 } }: Output): { head: string; tail: string } {
  const file = openSync(fileOf(content), "r");
  const read = (from: number, to: number): string => {
    const bytes = Buffer.alloc(to - from);
    expect(readSync(file, bytes, 0, bytes.length, from)).toBe(bytes.length);
    return bytes.toString();
  };
  const kept = { head: read(0, leftOut.start), tail: read(leftOut.end, statSync(fileOf(content)).size) };
  closeSync(file);
  return kept;
}

/** The numbers that `seq` wrote, from the first to the last of them. */
function expectWholeLines(lines: string, from: number, to: number): void {
  const numbers = lines.split("\n");
  expect(numbers.pop()).toBe("");
  expect([numbers.at(0), numbers.at(-1), numbers.length]).toEqual([String(from), String(to), to - from + 1]);
}

function expectHeadAndTail(output: Output, last: number, limit: number): void {
  const { head, tail } = keptOf(output);
  expectWholeLines(head, 1, Number(head.trimEnd().split("\n").at(-1)));
  expectWholeLines(tail, Number(tail.split("\n", 1)[0]), last);
  expect(head.length + tail.length).toBeWithin(limit * 0.7, limit + 1);
  expect(head.length).toBeWithin(limit * 0.35, limit * 0.5 + 1);
}

function marksOf({ times }: Output): Mark[] {
  const content = existing(times);
  return marksIn(content.kind === "inline" ? content.bytes : readFileSync(content.path));
}

/** Starts a script that stops itself now and then; `each` looks at what is there each time. */
async function runInSteps(
  place: ProcessPlace,
  launch: Launch,
  each: (step: number) => Promise<void>,
): Promise<Takings> {
  const tree = place.slot.start(launch);
  let isOver = false;
  const exited = tree.exited.then(() => (isOver = true));
  for (let step = 0; ; step += 1) {
    await Promise.race([stoppedItself(tree.pid), exited]);
    if (isOver) break;
    await each(step);
    process.kill(tree.pid, "SIGCONT");
  }
  await within("the tree is gone", tree.gone(order()));
  return place.slot.collect(launch);
}

describe("output beyond its limit", () => {
  test("does not fill the disk while the program writes, and has its beginning and its end", async () => {
    using place = processPlace();
    const file = join(place.slot.directory, "output");
    const [steps, lines] = [15, 2_500_000];
    const script = `i=0; while [ $i -lt ${steps} ]; do seq $((i * ${lines} + 1)) $(((i + 1) * ${lines})); i=$((i + 1));
      kill -STOP $$; done`;
    const sizes: number[] = [];
    const launch = place.launch(script, within2MiB);
    const takings = await runInSteps(place, launch, async () => {
      sizes.push(statSync(file).size);
      await eventually("the disk is spared", () => onDisk(file) <= 2.5 * MIB);
    });
    expect(sizes).toHaveLength(steps);
    const output = only(takings.outputs);
    expect(statSync(fileOf(output.content)).size).toBeGreaterThan(300e6);
    expect(onDisk(fileOf(output.content))).toBeLessThan(2.1 * MIB);
    expectHeadAndTail(output, steps * lines, 2 * MIB);
    expect(takings.warnings).toEqual([]);
  });

  test.each([
    ["the disk", undefined],
    ["memory", "/dev/shm"],
  ])("is head and tail when the program is faster than any look, on %s", async (_, below) => {
    using place = processPlace(below === undefined ? {} : { below });
    const { takings } = await place.run("seq 2000000", within2MiB);
    const output = only(takings.outputs);
    expectHeadAndTail(output, 2_000_000, 2 * MIB);
    expect(onDisk(fileOf(output.content))).toBeLessThan(2.1 * MIB);
    const { start, end } = existing(output.leftOut);
    const gone = readFileSync(fileOf(output.content)).subarray(start + BLOCK, end - BLOCK);
    expect(gone.every((byte) => byte === 0)).toBe(true);
  });

  test("is not cut where it is within it, to the last byte", async () => {
    using place = processPlace();
    for (const bytes of [INLINE, 64 * KIB]) {
      const { takings } = await place.run(`yes | head -c ${bytes}`, within64KiB);
      expect(only(takings.outputs).leftOut).toBeUndefined();
      expect(textsOf(takings.outputs)).toEqual({ log: "y\n".repeat(bytes / 2) });
    }
    const { takings } = await place.run(`yes | head -c ${64 * KIB + 1}`, within64KiB);
    expect(only(takings.outputs).leftOut).toBeDefined();
  });

  test("that is kept in the store itself is never cut, however low the limit", async () => {
    using place = processPlace();
    const { takings } = await place.run(`yes | head -c ${INLINE}`, { limits: limits({ outputLimitBytes: 1 }) });
    expect(textsOf(takings.outputs)).toEqual({ log: "y\n".repeat(INLINE / 2) });
  });

  test("is cut in the middle of a line where there is no other place", async () => {
    using place = processPlace();
    const { takings } = await place.run(`head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end`, within64KiB);
    const output = only(takings.outputs);
    expect(output.leftOut).toEqual({ start: 32 * KIB, end: 1_000_005 - 32 * KIB });
    expect(keptOf(output).tail).toEndWith("xxx\nend\n");
  });

  test("has a limit for each stream where they are apart", async () => {
    using place = processPlace();
    const apart = { limits: limits({ outputLimitBytes: 64 * KIB, output: "separate" }) };
    const { takings } = await place.run("seq 100000; seq 10 >&2; seq 11 200000 >&2", apart);
    const [out, err] = takings.outputs;
    expectHeadAndTail(existing(out), 100_000, 64 * KIB);
    expectHeadAndTail(existing(err), 200_000, 64 * KIB);
  });

  test("is what the program made of it when that has cut it off itself", async () => {
    using place = processPlace();
    const script = "seq 1000000; kill -STOP $$; : >/dev/stdout; echo anew; kill -STOP $$; seq 5000";
    const file = join(place.slot.directory, "output");
    const takings = await runInSteps(place, place.launch(script, { ...withTimes, ...within64KiB }), async (step) => {
      if (step === 0) await eventually("it was cut", () => onDisk(file) < 128 * KIB);
      else await eventually("that was seen", () => statSync(`${file}.cut`).size === 0);
    });
    expect(only(takings.outputs).leftOut).toBeUndefined();
    expect(textsOf(takings.outputs)["log"]).toStartWith("anew\n1\n2\n");
  });

  test("keeps its holes when its name was taken away", async () => {
    using place = processPlace();
    const script = 'rm "$(dirname "$REEVE_RESULTS")/output"; seq 1000000';
    const output = only((await place.run(script, within64KiB)).takings.outputs);
    expectHeadAndTail(output, 1_000_000, 64 * KIB);
    expect(onDisk(fileOf(output.content))).toBeLessThan(96 * KIB);
  });

  test("is kept whole, with one warning, where the filesystem cannot give back the middle of a file", async () => {
    const libc = { ...runtime.libc(), fallocate: () => -1 };
    using place = processPlace({ on: { ...runtime, libc: () => libc } });
    const apart = { limits: limits({ outputLimitBytes: 64 * KIB, output: "separate" }) };
    const { takings } = await place.run("seq 100000; seq 100000 >&2", apart);
    expect(takings.warnings).toEqual([expect.stringContaining("kept whole")]);
    for (const output of takings.outputs) {
      expect(output.leftOut).toBeUndefined();
      expectWholeLines(textOf(output.content), 1, 100_000);
    }
    expect((await place.run("seq 1000", apart)).takings.warnings).toEqual([]);
  });

  test("of a job that takes its slot apart disturbs nobody else", async () => {
    using place = processPlace();
    const script = 'cd "$(dirname "$REEVE_RESULTS")"; rm -rf ./* ; cd /; rmdir "$OLDPWD"; seq 1000000';
    const { exit, takings } = await place.run(script, { ...withTimes, ...within64KiB });
    expect(exit.code).toBe(0);
    expect(only(takings.outputs).stream).toBe("log");
    const next = await place.run("seq 100000", within64KiB);
    expectHeadAndTail(only(next.takings.outputs), 100_000, 64 * KIB);
    expect(next.takings.warnings).toEqual([]);
  });

  test("that cannot be looked after costs a warning", () => {
    using directory = temporaryDirectory();
    const probes = new Probes(directory.path, runtime.libc());
    const keeper = new OutputKeeper(probes, withTimes.limits);
    directory.write("output", "text\n");
    probes.forget("output.times");
    rmSync(directory.path, { recursive: true });
    keeper.end();
    probes.close();
    expect(keeper.warnings).toEqual([expect.stringMatching(/^its output could not be looked after: .*ENOENT/)]);
  });

  test("leaves nothing to the next job of the slot", async () => {
    using place = processPlace();
    const both = { limits: limits({ outputLimitBytes: 64 * KIB, timestamps: true }) };
    for (let job = 0; job < 3; job += 1) await place.run("seq 100000", both);
    const { takings } = await place.run("echo next; seq 4000;", both);
    const output = only(takings.outputs);
    expect(output.leftOut).toBeUndefined();
    expect(readCut(join(place.slot.directory, "output"))).toBeNull();
    expect(marksOf(output).at(-1)?.offset).toBe(textOf(output.content).length);
    expect(existing(marksOf(output)[0]).offset).toBeLessThanOrEqual(textOf(output.content).length);
  });
});

describe("times of output", () => {
  test("are those at which the lines were written, and never go back", async () => {
    using place = processPlace();
    const file = join(place.slot.directory, "output.times");
    const seen: number[] = [];
    const launch = place.launch("for i in 1 2 3 4 5; do date +%s%3N; kill -STOP $$; done", withTimes);
    const takings = await runInSteps(place, launch, async (step) => {
      await eventually("it was looked at", () => statSync(file).size === (step + 1) * MARK_BYTES);
      seen.push(Date.now());
    });
    const output = only(takings.outputs);
    const marks = marksOf(output);
    const lines = textOf(output.content).trimEnd().split("\n");
    expect(marks.map(({ offset }) => offset)).toEqual(lines.map((line, index) => (line.length + 1) * (index + 1)));
    // The kernel's clock for files may be some milliseconds behind.
    marks.forEach(({ time }, index) => expect(time).toBeWithin(Number(lines[index]) - 20, (seen[index] ?? 0) + 1));
    expect(marks.map(({ time }) => time)).toEqual(marks.map(({ time }) => time).toSorted());
  });

  test("are there for a job that was too quick to be looked at, and of each stream", async () => {
    using place = processPlace();
    const before = Date.now();
    const apart = { limits: limits({ timestamps: true, output: "separate" }) };
    const { takings } = await place.run("echo out; echo error >&2; sleep 0.3", apart);
    for (const output of takings.outputs) {
      const mark = only(marksOf(output));
      expect(mark.offset).toBe(textOf(output.content).length);
      expect(mark.time).toBeWithin(before - 20, Date.now() - 200);
    }
    expect(takings.outputs.map(({ stream }) => stream)).toEqual(["stdout", "stderr"]);
  });

  test("are not kept unless that is asked for", async () => {
    using place = processPlace();
    expect(only((await place.run("echo x")).takings.outputs).times).toBeUndefined();
  });

  test("are in a file when they are many", async () => {
    using place = processPlace();
    const marks = new Float64Array(Array.from({ length: 4096 }, () => 1));
    const [file, job] = [join(place.slot.directory, "output.times"), "many"];
    const launch = place.launch("echo x; kill -STOP $$", { ...withTimes, job });
    const takings = await runInSteps(place, launch, async () => {
      await eventually("it was looked at", () => statSync(file).size > 0);
      await Bun.write(file, marks.buffer);
    });
    const { times } = only(takings.outputs);
    expect(times).toEqual({ kind: "file", path: place.directory.of("jobs", job, "log.1.times"), size: 32_768 });
  });
});
