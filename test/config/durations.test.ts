import { describe, expect, test } from "bun:test";
import { formatDuration, parseDuration } from "../../src/config/durations.ts";

describe("parseDuration", () => {
  test.each([
    ["10m", 600_000],
    ["2h30m", 9_000_000],
    ["500ms", 500],
    ["7d", 604_800_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["1.5s", 1500],
    [" 90 ", 90_000],
    ["90", 90_000],
    ["0", 0],
    ["0s", 0],
    [0, 0],
    [90, 90_000],
    [0.25, 250],
  ])("%p is %p ms", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each([
    "",
    " ",
    "m",
    "-1",
    "-5m",
    "5 m",
    "5x",
    "30m2h",
    "1m1m",
    "1e9",
    "Infinity",
    "NaN",
    "１０m",
    "5m\n5s",
    "5m\0",
    "9".repeat(200_000),
    `${"9".repeat(39)}d`,
    -1,
    Number.NaN,
    Infinity,
    1e300,
  ])("%p is refused", (text) => {
    expect(() => parseDuration(text)).toThrow("is not a duration; write it as");
  });

  test("what is refused is cut to a sentence's length", () => {
    let message = "";
    try {
      parseDuration("x".repeat(200_000));
    } catch (error) {
      message = String(error);
    }
    expect(message.length).toBeLessThan(200);
  });
});

test.each([
  [0, "0ms"],
  [350.7, "350ms"],
  [999, "999ms"],
  [1000, "1s"],
  [1250, "1.2s"],
  [59_999, "59.9s"],
  [60_000, "1m00s"],
  [192_000, "3m12s"],
  [3_599_999, "59m59s"],
  [7_500_000, "2h05m"],
  [273_600_000, "3d04h"],
  [-1200, "-1.2s"],
])("formatDuration(%p) is %p", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});
