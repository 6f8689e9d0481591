import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { isKept, prove } from "../../src/cli/doctor/prove.ts";
import { rungsHere } from "../../src/cli/doctor/rungs.ts";
import { SHAPES, type Shape } from "../../src/cli/doctor/shapes.ts";
import { runtime } from "../../src/runtime/index.ts";
import { PATH } from "../support/children.ts";
import { existing, only } from "../support/temporary.ts";

const STRAY = existing(SHAPES.find(({ name }) => name === "no environment, no descriptors, a session of its own"));

const proofsOf = (shapes: readonly Shape[], path = PATH) =>
  prove({
    rungs: rungsHere(runtime, systemClock).filter(({ rung }) => rung === "marks"),
    shapes,
    clock: systemClock,
    path,
    onProgress: () => {},
    signal: new AbortController().signal,
  });

test("what outlives its job breaks the promise, unless it is known to", async () => {
  const { escapes, ...unknown } = STRAY;
  const [known, broken] = await proofsOf([STRAY, { ...unknown, name: "another" }]);
  expect(known?.verdict).toMatchObject({ kind: "left", later: "ended" });
  expect(broken?.verdict).toMatchObject({ kind: "left", later: "ended" });
  expect([known, broken].map((proof) => isKept(existing(proof)))).toEqual([escapes !== undefined, false]);
});

test("what is not ended when no job runs either breaks the promise, known or not", () => {
  expect(isKept({ shape: STRAY, rung: "marks", verdict: { kind: "left", pids: [1], later: "left" } })).toBe(false);
});

test("a shape that did not stand shows nothing", () => {
  expect(isKept({ shape: STRAY, rung: "cgroup", verdict: { kind: "unformed" } })).toBe(false);
});

test("what a shape needs and is not installed is told", async () => {
  const { verdict } = only(await proofsOf([STRAY], "/nowhere"));
  expect(verdict).toEqual({ kind: "cannot", why: "none of setsid, perl, python3 is installed" });
});
