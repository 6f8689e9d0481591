import { describe, expect, test } from "bun:test";
import { readFilters } from "../../src/uws/filters.ts";
import { readUtc } from "../../src/uws/times.ts";

describe("a time of UWS", () => {
  test.each([
    ["2015", "2015-01-01T00:00:00.000Z"],
    ["2015-10", "2015-10-01T00:00:00.000Z"],
    ["2015-10-26", "2015-10-26T00:00:00.000Z"],
    ["20151026", "2015-10-26T00:00:00.000Z"],
    ["2015-10-26 09:00", "2015-10-26T09:00:00.000Z"],
    ["2015-10-26T09", "2015-10-26T09:00:00.000Z"],
    ["2015-10-26T09:00:01", "2015-10-26T09:00:01.000Z"],
    ["2015-10-26T09:00:01Z", "2015-10-26T09:00:01.000Z"],
    ["20151026T090001Z", "2015-10-26T09:00:01.000Z"],
    ["2015-10-26t09:00:01.123456z", "2015-10-26T09:00:01.123Z"],
    ["2016-02-29", "2016-02-29T00:00:00.000Z"],
  ])("is read in any precision: %s", (text, expected) => {
    expect(new Date(readUtc(text) ?? Number.NaN).toISOString()).toBe(expected);
  });

  test.each([
    "",
    "x",
    "15",
    "2015-13",
    "2015-02-29",
    "2015-10-26T25",
    "2015-10-26T09:00+00:00",
    "2015-10-26T09:00:00-0500",
    "2015-10-26T09:00:00 Z",
    "now",
    "1445850000",
  ])("is not read from %s", (text) => expect(readUtc(text)).toBeNull());
});

describe("the filters of a list", () => {
  test.each([
    ["", { phases: [], after: null, last: null }],
    ["phase=ERROR&PHASE=QUEUED", { phases: ["ERROR", "QUEUED"], after: null, last: null }],
    ["After=1970&LAST=007", { phases: [], after: 0, last: 7 }],
    ["LAST=1e", null],
    ["LAST=0", null],
    ["LAST=", null],
    ["LAST=5&last=5", null],
    ["PHASE=error", null],
    ["AFTER=", null],
    ["AFTER=2015&AFTER=2016", null],
    ["other=x", { phases: [], after: null, last: null }],
  ])("%s", (query, expected) => {
    const filters = readFilters(new URLSearchParams(query));
    if (expected === null) expect(filters).toHaveProperty("problem");
    else expect(filters).toEqual(expected as typeof filters);
  });
});
