import { describe, expect, test } from "bun:test";
import { bytesSource, tailOffset } from "../../src/store/byte-source.ts";
import { newId } from "../../src/store/new-id.ts";
import { exitCodeOf } from "../../src/cli/outcome.ts";
import { mayColour } from "../../src/cli/render/colour.ts";
import { pairs, table, type Screen } from "../../src/cli/render/table.ts";
import { safe, shellLine } from "../../src/cli/render/text.ts";
import { byteSize, relative, span } from "../../src/cli/render/times.ts";
import { parseTime } from "../../src/cli/times.ts";
import type { Attempt } from "../../src/store/attempt.ts";
import { sentenceOf } from "../support/errors.ts";
import { aJob } from "../support/temporary.ts";
import { bytes } from "./desk.ts";

const attempt = (fields: Partial<Attempt>): Attempt => ({
  number: 1,
  worker: "w",
  directory: "/",
  messageId: "m",
  receiveCount: 1,
  startedAt: 0,
  endedAt: 1,
  command: null,
  cwd: null,
  pid: 2,
  ending: "exited",
  exitCode: 0,
  signal: null,
  cause: null,
  detail: null,
  userMicroseconds: null,
  systemMicroseconds: null,
  peakBytes: null,
  verdict: null,
  exitHandler: null,
  cleanUp: null,
  cleanUpTries: 0,
  cleanUpExitCode: null,
  cleanUpSignal: null,
  cleanUpMs: null,
  suspendedMs: 0,
  suspendedAt: null,
  heard: 0,
  allowedMs: null,
  leftOut: 0,
  ...fields,
});

describe("the exit code that a job stands for", () => {
  test.each<[string, Partial<Attempt>, number]>([
    ["its own", { exitCode: 7 }, 7],
    ["a signal", { ending: "signalled", exitCode: null, signal: "SIGKILL" }, 137],
    ["a signal without a name", { ending: "signalled", exitCode: null, signal: "SIG40" }, 168],
    ["a timeout", { exitCode: 7, cause: "timeout" }, 124],
    ["an overrun", { exitCode: null, cause: "overrun" }, 124],
    [
      "a missing program",
      { ending: "spawn failed", exitCode: 127, detail: '"x" was not started: no such program' },
      127,
    ],
    ["no program", { ending: "spawn failed", exitCode: 126, detail: '"x" was not started: it is not executable' }, 126],
    ["an error beside exit 0", { exitCode: 0 }, 1],
    ["a lost worker", { ending: "lost", exitCode: null }, 1],
  ])("%s", (_what, fields, code) => {
    expect(exitCodeOf(aJob({ phase: "ERROR" }), attempt(fields))).toBe(code);
  });

  test("a job that completed, was aborted, or never started", () => {
    expect(exitCodeOf(aJob({ phase: "COMPLETED" }), attempt({}))).toBe(0);
    expect(exitCodeOf(aJob({ phase: "ABORTED" }), attempt({ ending: "signalled", signal: "SIGTERM" }))).toBe(1);
    expect(exitCodeOf(aJob({ phase: "ERROR" }), undefined)).toBe(1);
  });
});

describe("times as they are given", () => {
  test.each([
    ["2026", "2026-01-01T00:00:00.000Z"],
    ["2026-05", "2026-05-01T00:00:00.000Z"],
    ["20260501", "2026-05-01T00:00:00.000Z"],
    ["2026-05-01 09:30", "2026-05-01T09:30:00.000Z"],
    ["2026-05-01T09", "2026-05-01T09:00:00.000Z"],
    ["2026-05-01T09:30:15.123456Z", "2026-05-01T09:30:15.123Z"],
    ["2026-05-01T09:30+0200", "2026-05-01T07:30:00.000Z"],
  ])("%s", (text, iso) => {
    expect(new Date(parseTime("--after", text)).toISOString()).toBe(iso);
  });

  test.each(["", "yesterday", "2026-02-30", "2026-13", "2026-05-01T25:00", "1"])("%j is none", async (text) => {
    expect(await sentenceOf(() => parseTime("--after", text))).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining("is not a time"),
    });
  });
});

const may = (asked: boolean | undefined, environment: Record<string, string>, isTerminal = false): boolean =>
  mayColour({ asked, environment, isTerminal });

describe("what is shown", () => {
  test("colours: the option, then NO_COLOR, then FORCE_COLOR, then the terminal", () => {
    expect(may(true, { NO_COLOR: "1" })).toBe(true);
    expect(may(false, { FORCE_COLOR: "1" }, true)).toBe(false);
    expect(may(undefined, { NO_COLOR: "1", FORCE_COLOR: "1" }, true)).toBe(false);
    expect(may(undefined, { FORCE_COLOR: "1" })).toBe(true);
    expect(may(undefined, { FORCE_COLOR: "0" }, true)).toBe(false);
    expect([may(undefined, {}, true), may(undefined, {})]).toEqual([true, false]);
  });

  const plain: Screen = { paint: (text) => text, width: null };

  test("a table is cut to the terminal, and only there", () => {
    const rows = [["a", "long text that does not fit"]];
    expect(table(["ID", "WHAT"], rows, plain)).toBe("ID  WHAT\na   long text that does not fit\n");
    const cut = table(["ID", "WHAT"], rows, { ...plain, width: 20 });
    expect(Math.max(...cut.split("\n").map((line) => line.length))).toBeLessThanOrEqual(20);
    expect(cut).toContain("…");
  });

  test("a long table keeps its columns in line", () => {
    const rows = Array.from({ length: 100 }, (_, index) => ["x".repeat(1 + (index % 7)), String(index)]);
    const columns = table(["A", "B"], rows, plain)
      .trimEnd()
      .split("\n")
      .map((line) => line.search(/\S+$/));
    expect(new Set(columns)).toEqual(new Set([9]));
  });

  test("pairs leave out what is empty, and keep lines together", () => {
    expect(pairs([["a", "1\n2"], ["long", ""], ["bc", "3"]], plain)).toBe("a   1\n    2\nbc  3\n"); // prettier-ignore
  });

  test("nothing from outside reaches the terminal as a command to it", () => {
    expect(safe("a\u001b[31mb\r\n c\u202e\u009b")).toBe("a\\u001b[31mb c\\u202e\\u009b");
    expect(shellLine(["echo", "it's", "", "a b", "x=1"])).toBe(String.raw`echo 'it'\''s' '' 'a b' x=1`);
  });

  test("times and sizes", () => {
    expect([relative(0, 192_000), relative(10_000, 0)]).toEqual(["3m12s ago", "in 10s"]);
    expect([span(null, null, 5), span(0, null, 5000), span(0, 2000, 5000)]).toEqual(["", "5s", "2s"]);
    expect([0, 1023, 1024, 1536, 5 * 1024 ** 3].map(byteSize)).toEqual([
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "5.0 GiB",
    ]);
  });
});

describe("bytes and ids", () => {
  test.each([
    ["a\nb\nc\n", 2, "b\nc\n"],
    ["a\nb\nc", 2, "b\nc"],
    ["a\n", 5, "a\n"],
    ["a\n", 0, ""],
    ["", 3, ""],
    [`${"x".repeat(70_000)}\n${"y".repeat(70_000)}\n`, 1, `${"y".repeat(70_000)}\n`],
  ])("the tail of %#", (text, lines, tail) => {
    const all = bytes(text);
    expect(new TextDecoder().decode(all.subarray(tailOffset(bytesSource(all), lines)))).toBe(tail);
  });

  test("ids are 20 characters of base 32, and differ", () => {
    const ids = Array.from({ length: 1000 }, newId);
    expect(ids.every((id) => /^[a-z2-7]{20}$/.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(1000);
  });
});
