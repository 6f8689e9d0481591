import { describe, expect, test } from "bun:test";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { TerminalText } from "../../src/cli/render/terminal.ts";
import { OutputKeeper } from "../../src/process/output-keeper.ts";
import { Probes } from "../../src/process/probes.ts";
import { runtime } from "../../src/runtime/index.ts";
import type { Output } from "../../src/store/job.ts";
import { eventually } from "../support/eventually.ts";
import { limits } from "../support/temporary.ts";
import { bytes, desk, failure, inline, type Desk, type FakeWorker } from "./desk.ts";

const LIMIT = 65_536;
const KEPT = limits({ outputLimitBytes: LIMIT, timestamps: true });
const COMMAND = { kind: "command", cwd: "/", environment: {}, secrets: [], limits: KEPT } as const;

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join("");

/** An output in a file of the job's directory, of which so much is left out; zeroes are there. */
function inFile(work: Desk, name: string, head: string, leftOut: number, tail: string): Output {
  const path = work.at.directory.write(name, Buffer.concat([bytes(head), new Uint8Array(leftOut), bytes(tail)]));
  const content = { kind: "file", path, size: statSync(path).size } as const;
  return { stream: "log", content, leftOut: { start: head.length, end: head.length + leftOut } };
}

const marks = (...pairs: (readonly [offset: number, time: string])[]) =>
  ({
    kind: "inline",
    bytes: new Uint8Array(new Float64Array(pairs.flatMap(([at, time]) => [at, Date.parse(time)])).buffer),
  }) as const;

/** What looks after the files of a worker's only slot, as the worker would. */
function keeperOf(worker: FakeWorker): { look(): void } {
  return {
    look() {
      const probes = new Probes(join(worker.directory, "slot-1"), runtime.libc());
      new OutputKeeper(probes, KEPT).end();
      probes.close();
    },
  };
}

describe("where something was left out", () => {
  test("a line says so between what there is, and the bytes alone have none", async () => {
    using work = desk();
    const { id } = await work.ended({ outputs: [inFile(work, "log", "a\nb\n", 3 * 1024 * 1024, "y\nz\n")] });
    expect((await work.reeve("logs", id)).stdout).toBe("a\nb\n… 3.0 MiB left out …\ny\nz\n");
    const given = await work.reeve("result", id, "log");
    expect(given).toMatchObject({ stdout: "a\nb\ny\nz\n", stderr: "reeve: 3.0 MiB of its middle were not kept\n" });
    expect((await work.reeve("show", id)).stdout).toContain("3.0 MiB of it were not kept");
    expect((await work.documents())[0]?.jobInfo.attempts).toMatchObject([{ outputLeftOut: 3 * 1024 * 1024 }]);
  });

  test("the line begins a line, also where the program's own was cut", async () => {
    using work = desk();
    const { id } = await work.ended({ outputs: [inFile(work, "log", "begun", 5000, "rest\n")] });
    expect((await work.reeve("logs", id)).stdout).toBe("begun\n… 4.9 KiB left out …\nrest\n");
  });

  test("the last lines are counted on both sides of it", async () => {
    using work = desk();
    const { id } = await work.ended({ outputs: [inFile(work, "log", "a\nb\n", 5000, "y\nz\n")] });
    const tail = async (count: number): Promise<string> => (await work.reeve("logs", "--tail", `${count}`, id)).stdout;
    const gap = "… 4.9 KiB left out …\n";
    expect(await Promise.all([0, 1, 2, 3, 4, 5].map(tail))).toEqual([
      "",
      "z\n",
      "y\nz\n",
      `b\n${gap}y\nz\n`,
      `a\nb\n${gap}y\nz\n`,
      `a\nb\n${gap}y\nz\n`,
    ]);
  });

  test("zeroes that the program wrote are its own", async () => {
    using work = desk();
    const output = inFile(work, "log", "a\0\0\n", 5000, "\0z\n");
    const { id } = await work.ended({ outputs: [output] });
    expect((await work.reeve("logs", id)).stdout).toBe("a\0\0\n… 4.9 KiB left out …\n\0z\n");
  });

  test("whoever follows is told when the output is cut under him, and gets no zeroes", async () => {
    using work = desk();
    const worker = await work.worker();
    const keeper = keeperOf(worker);
    await work.submit();
    const job = await worker.begin();
    worker.write(job, lines(1, 1000));
    const reader = work.start(["logs", "-f", job.id]);
    await eventually("it has read the first lines", () => reader.stdout().endsWith("\n1000\n"));
    worker.write(job, lines(1001, 200_000));
    keeper.look();
    const late = work.start(["logs", "-f", job.id]);
    await eventually("the end is there", () => late.stdout().endsWith("\n200000\n"));
    await eventually("the end is there", () => reader.stdout().endsWith("\n200000\n"));
    expect(late.stdout()).toMatch(/^1\n2\n[\d\n]*\d\n… 1\.2 MiB left out …\n\d{6}\n[\d\n]*$/);
    worker.write(job, lines(200_001, 400_000));
    keeper.look();
    await eventually("the next end is there", () => late.stdout().endsWith("\n400000\n"));
    const [, , after = ""] = late.stdout().split(/… .* left out …\n/);
    expect(after).toBe(lines(Number(after.split("\n", 1)[0]), 400_000));
    expect(reader.stdout() + late.stdout()).not.toContain("\0");
    await worker.end(job, {});
    expect([(await reader.ended).code, (await late.ended).code]).toEqual([0, 0]);
  });
});

describe("logs --timestamps", () => {
  const times = marks([4, "2026-01-02T03:04:05.006Z"], [12, "2026-01-02T03:04:06Z"], [15, "2026-01-02T03:04:07.5Z"]);
  const stamped = [
    "2026-01-02T03:04:05.006Z one\n",
    "2026-01-02T03:04:06.000Z two\n",
    "2026-01-02T03:04:06.000Z six\n",
    "2026-01-02T03:04:07.500Z end",
  ];

  test("gives each line the time of the first mark that is not before its end", async () => {
    using work = desk();
    const { id } = await work.ended({ outputs: [{ stream: "log", content: inline("one\ntwo\nsix\nend"), times }] });
    expect((await work.reeve("logs", "--timestamps", id)).stdout).toBe(stamped.join(""));
    expect((await work.reeve("logs", "--timestamps", "--tail", "2", id)).stdout).toBe(stamped.slice(2).join(""));
    expect((await work.reeve("logs", id)).stdout).toBe("one\ntwo\nsix\nend");
  });

  test("gives a line that is longer than what is read at once one time", async () => {
    using work = desk();
    const long = "x".repeat(1_000_000);
    const outputs = [
      {
        ...inFile(work, "log", `a\n${long}\n`, 5000, `${long}\nz\n`),
        times: marks(
          [2, "2026-01-01T00:00:01Z"],
          [1_000_003, "2026-01-01T00:00:02Z"],
          [2e6 + 5006, "2026-01-01T00:00:03Z"],
        ),
      },
    ];
    const { id } = await work.ended({ outputs });
    const [first, second, third] = [1, 2, 3].map((number) => `2026-01-01T00:00:0${number}.000Z `);
    expect((await work.reeve("logs", "--timestamps", id)).stdout).toBe(
      `${first}a\n${second}${long}\n… 4.9 KiB left out …\n${third}${long}\n${third}z\n`,
    );
  });

  test("gives none where the job itself has spoilt them", async () => {
    using work = desk();
    const times = {
      kind: "inline",
      bytes: new Uint8Array(new Float64Array([2, 1e300, 5, Number.NaN]).buffer),
    } as const;
    const { id } = await work.ended({ outputs: [{ stream: "log", content: inline("a\nb\nc"), times }] });
    const unknown = "-".padEnd(24);
    expect((await work.reeve("logs", "--timestamps", id)).stdout).toBe(`${unknown} a\n${unknown} b\n${unknown} c`);
  });

  test("says so where no times were kept, and prints nothing", async () => {
    using work = desk();
    const { id } = await work.ended({ outputs: [{ stream: "log", content: inline("x\n") }] });
    const done = await work.reeve("logs", "--timestamps", id);
    expect(done).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining("no times were kept") });
    const silent = await work.ended({}, {}, { context: COMMAND });
    expect(await work.reeve("logs", "--timestamps", silent.id)).toMatchObject({ code: 0, stdout: "" });
    const waiting = await work.submit();
    expect(await work.reeve("logs", "--timestamps", waiting.id)).toMatchObject({ code: 3 });
  });

  test("follows: a line comes when it is whole and its time is known", async () => {
    using work = desk();
    const worker = await work.worker();
    const keeper = keeperOf(worker);
    await work.submit({ context: COMMAND });
    const job = await worker.begin();
    const reader = work.start(["logs", "-f", "--timestamps", job.id]);
    worker.write(job, "one\ntw");
    keeper.look();
    await eventually("the first line is there", () => /^\d{4}-\S+Z one\n$/.test(reader.stdout()));
    worker.write(job, "o\nrest");
    keeper.look();
    await eventually("the second line is there", () => /Z one\n\S+Z two\n$/.test(reader.stdout()));
    const time = marks([12, "2026-01-01T00:00:00Z"]);
    await worker.end(job, { outputs: [{ stream: "log", content: inline("one\ntwo\nrest"), times: time }] });
    expect((await reader.ended).stdout).toMatch(/Z one\n\S+Z two\n\S+Z rest$/);
  });
});

test("an exit handler's output is told apart from the job's", async () => {
  using work = desk();
  const outputs = [
    { stream: "log", content: inline("of the job\n") },
    { stream: "exit handler", content: inline("of the handler\n") },
  ] as const;
  const { id } = await work.ended({ outputs });
  expect((await work.reeve("logs", id)).stdout).toBe("of the job\n");
  expect((await work.reeve("logs", "--exit-handler", id)).stdout).toBe("of the handler\n");
  for (const other of [["--stream", "stdout"], ["--timestamps"]]) {
    expect(await work.reeve("logs", "--exit-handler", ...other, id)).toMatchObject({ code: 2 });
  }
});

test("an exit handler's output is there also when the job wrote nothing, and while it is written", async () => {
  using work = desk();
  const worker = await work.worker();
  await work.submit();
  const job = await worker.begin();
  mkdirSync(join(worker.directory, "slot-1", "exit-handler"));
  worker.write(job, `${job.id} 1 0 0\n`, "exit-handler/identity");
  worker.write(job, "cleaning\n", "exit-handler/output");
  const reader = work.start(["logs", "-f", "--exit-handler", job.id]);
  await eventually("it is there", () => reader.stdout() === "cleaning\n");
  await worker.end(job, { outputs: [{ stream: "exit handler", content: inline("cleaning\nclean\n") }] }, failure("x"));
  expect(await reader.ended).toMatchObject({ code: 0, stdout: "cleaning\nclean\n" });
  expect((await work.reeve("logs", job.id)).stdout).toBe("");
  expect(await work.reeve("result", job.id, "log")).toMatchObject({ code: 0, stdout: "" });
});

/** What a terminal gets of parts that come one after the other. */
const shown = (...parts: (string | readonly number[])[]): string => {
  const terminal = new TerminalText();
  const texts = parts.map((part) => terminal.show(typeof part === "string" ? bytes(part) : Uint8Array.from(part)));
  return texts.join("") + terminal.end();
};

describe("on a terminal", () => {
  test("colours stay, wherever what is read is cut, and end with the output", () => {
    expect(shown("\u001b[1;31mred\u001b[0m\n")).toBe("\u001b[1;31mred\u001b[0m\n");
    expect(shown("\u001b[38;5", ";9mred\u001b", "[m\n")).toBe("\u001b[38;5;9mred\u001b[m\n");
    expect(shown("\u001b[4:3mline")).toBe("\u001b[4:3mline\u001b[0m");
  });

  test.each([
    ["clear screen", "\u001b[2J"],
    ["title", "\u001b]0;title\u0007"],
    ["clipboard", "\u001b]52;c;ZXZpbA==\u001b\\"],
    ["report", "\u001b[6n"],
    ["mode", "\u001b[?1049h"],
    ["eight bits", "\u009b2J"],
    ["backspace", "a\bb"],
    ["shift out", "\u000e"],
    ["endless colour", `\u001b[${"1;".repeat(200)}m`],
  ])("what would act on it is written out: %s", (_, text) => {
    expect(shown(text)).not.toMatch(/[^\n\r\t -~\u00a0-\uffff]/);
    expect(shown(...text)).toBe(shown(text));
  });

  test("a sequence that never ends is shown at the end", () => {
    expect(shown("a\u001b[3")).toBe("a\\u001b[3");
  });

  test("tabs, carriage returns and text of all languages are what they are; what is no UTF-8 is marked", () => {
    expect(shown("a\tb\r50 %\r\n…ü漢\n")).toBe("a\tb\r50 %\r\n…ü漢\n");
    expect(shown([0xe2, 0x80], [0xa6, 0x41])).toBe("…A");
    expect(shown([0x41, 0xff, 0x42, 0xe2])).toBe("A\ufffdB\ufffd");
  });
});
