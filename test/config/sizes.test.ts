import { describe, expect, test } from "bun:test";
import type { ResourceLimits } from "../../src/config/definition.ts";
import { RESOURCE_NAMES, readOutputLimit, readResource } from "../../src/config/resources.ts";
import { parseSize } from "../../src/config/sizes.ts";

describe("a size", () => {
  test.each([
    ["512MB", 512_000_000],
    ["1.5GB", 1_500_000_000],
    ["64KiB", 65_536],
    ["1 gib", 1_073_741_824],
    ["2TiB", 2 * 1024 ** 4],
    ["1kb", 1000],
    ["7B", 7],
    [" 4096 ", 4096],
    ["0", 0],
    [4096, 4096],
  ])("%p is %p bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["", "big", "4G", "1M", "-1", "1e3", "1.KB", "MB", "1 2", "9999999TiB", "1  MB", -1, Number.NaN, Infinity])(
    "%p is none",
    (text) => {
      expect(() => parseSize(text)).toThrow(/is not a size; write it as/);
    },
  );

  test("what is shown of a wrong one is short", () => {
    expect(() => parseSize("x".repeat(100_000))).toThrow(/^.{1,150}$/);
  });

  test.each([
    ["none", null],
    [0, null],
    ["0 MB", null],
    ["1MB", 1_000_000],
  ])("an output limit of %p is %p", (given, bytes) => {
    expect(readOutputLimit(given)).toBe(bytes);
  });
});

describe("a limit of resources", () => {
  test.each<[key: string, given: unknown, limits: Partial<ResourceLimits>]>([
    ["memory", "1GiB", { memoryBytes: 1024 ** 3 }],
    ["cpu", 1.5, { cpus: 1.5 }],
    ["cpu", "0.25", { cpus: 0.25 }],
    ["processes", "64", { processes: 64 }],
    ["cpu_time", "1500ms", { cpuSeconds: 2 }],
    ["cpu_time", 0, { cpuSeconds: 1 }],
    ["nice", -20, { nice: -20 }],
    ["nice", "+5", { nice: 5 }],
    ["umask", "077", { umask: 0o77 }],
    ["umask", "0022", { umask: 0o22 }],
    ["user", 1000, { user: "1000" }],
    ["group", "www-data", { group: "www-data" }],
    ["optional", false, { optional: [] }],
    ["optional", true, { optional: RESOURCE_NAMES }],
    ["optional", ["memory", "cpu_time"], { optional: ["memoryBytes", "cpuSeconds"] }],
    ["optional", "memory,cpu", { optional: ["memoryBytes", "cpus"] }],
  ])("%s = %p", (key, given, limits) => {
    expect(readResource(key, given)).toEqual(limits);
  });

  test.each([
    ["memory", 0, "must be more than 0"],
    ["memory", true, "must be a number, or a text in quotes"],
    ["cpu", 0, "must be a number of processors from 0.01"],
    ["cpu", "two", "must be a number of processors"],
    ["cpu", -1, "must be a number of processors"],
    ["processes", 0, "must be at least 1, not 0"],
    ["processes", 1.5, "must be a whole number"],
    ["open_files", "many", "must be a whole number"],
    ["nice", -21, "must be at least -20, not -21"],
    ["nice", 20, "must be at most 19, not 20"],
    ["umask", 77, 'must be octal digits in quotes, such as "077"'],
    ["umask", "088", "must be octal digits"],
    ["umask", "7777", "must be octal digits"],
    ["user", "", "must be a name or a number"],
    ["user", "-u", "must be a name or a number"],
    ["group", "a:b", "must be a name or a number"],
    ["group", "a\u0000", "holds a NUL"],
    ["optional", ["memry"], 'must be true, or a list of limits, and "memry" is none, did you mean `memory`?'],
    ["optional", 1, "must be true, or a list of limits"],
    ["memry", 1, "is not a limit, did you mean `memory`?"],
    ["toString", 1, "is not a limit"],
  ])("%s = %p is refused", (key, given, sentence) => {
    expect(() => readResource(key, given)).toThrow(sentence);
  });
});
