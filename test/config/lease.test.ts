import { describe, expect, test } from "bun:test";
import { leaseProblem } from "../../src/config/lease.ts";

const times = (visibility: number, beat: number | null, grace: number) => ({
  visibilityMs: visibility * 1000,
  beatMs: beat === null ? null : beat * 1000,
  graceMs: grace * 1000,
});

describe("a lease that cannot be kept", () => {
  test.each<[number, number | null, number, string]>([
    [
      15,
      null,
      10,
      "With a `visibility` of 15s and a third of it between beats, 10s of a lease are left when a beat fails, but to end a job takes 10s of `grace` and 2s. Set `visibility` to 19s or more, or `grace` to less than 8s.",
    ],
    [18, null, 10, "Set `visibility` to 19s or more, or `grace` to less than 10s."],
    [60, 48, 10, "12s of a lease are left"],
    [60, 48, 10, "Set `visibility` to 61s or more, or `beat` to less than 48s, or `grace` to less than 10s."],
    [
      60,
      60,
      10,
      "1m00s between beats, a lease is over before it is renewed. Set `visibility` to 73s or more, or `beat`",
    ],
    [60, 90, 0, "a lease is over before it is renewed"],
    [3, null, 0, "Set `visibility` to 4s or more."],
    [43_200, 20, 43_180, "Set `beat` to less than 18s, or `grace` to less than 43178s."],
    [1, null, 43_200, "Set a longer `visibility` and a shorter `grace`."],
  ])("visibility %p s, beat %p s, grace %p s", (visibility, beat, grace, sentence) => {
    expect(leaseProblem(times(visibility, beat, grace)) ?? "no problem").toContain(sentence);
  });
});

test.each<[number, number | null, number]>([
  [60, null, 10],
  [19, null, 10],
  [60, 47.999, 10],
  [4, null, 0],
])("visibility %p s, beat %p s, grace %p s: it can be kept", (visibility, beat, grace) => {
  expect(leaseProblem(times(visibility, beat, grace))).toBeNull();
});

test("what is said to help does help", () => {
  let tried = 0;
  for (let visibility = 1; visibility < 90; visibility += 4) {
    for (const beat of [null, 1, 7, 30, 100]) {
      for (const grace of [0, 1, 10, 45.5]) {
        const given = times(visibility, beat, grace);
        for (const [, key, seconds] of (leaseProblem(given) ?? "").matchAll(/`(\w+)` to (?:less than )?(\d+)s/g)) {
          const set = key === "visibility" ? Number(seconds) * 1000 : Number(seconds) * 1000 - 1;
          tried++;
          expect(leaseProblem({ ...given, [`${key}Ms`]: set })).toBeNull();
        }
      }
    }
  }
  expect(tried).toBeGreaterThan(100);
});
