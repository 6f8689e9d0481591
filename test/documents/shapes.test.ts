import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RUNGS, SHAPES } from "../../src/cli/doctor/shapes.ts";

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");

/** The rows of the table below a heading, cell by cell. */
function tableBelow(heading: string): string[][] {
  const [, after = ""] = README.split(`\n### ${heading}\n`);
  const lines = after.slice(after.indexOf("\n|")).trimStart().split("\n");
  const table = lines.slice(0, lines.indexOf(""));
  return table.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim())); // prettier-ignore
}

test("README tells of each shape what becomes of it on each rung", () => {
  const [head, , ...rows] = tableBelow("What dies with a job");
  expect(head).toEqual(["a job with", ...RUNGS]);
  expect(rows).toEqual(SHAPES.map(({ name, escapes }) => [name, ...RUNGS.map((rung) => escapes?.[rung] ?? "dies")]));
});

test("no two shapes are the same", () => {
  expect(new Set(SHAPES.map(({ name }) => name)).size).toBe(SHAPES.length);
  expect(new Set(SHAPES.map(({ script }) => script)).size).toBe(SHAPES.length);
});
