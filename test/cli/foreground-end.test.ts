import { describe, expect, test } from "bun:test";
import { remarkOn, wayOut, type WayOut } from "../../src/cli/foreground-end.ts";
import type { Cause, Ending, Settlement } from "../../src/store/job.ts";
import { forItsProcess } from "../../src/worker/ending.ts";
import { endOfAttempt } from "../support/attempt-end.ts";

const completed: Settlement = { phase: "COMPLETED", verdict: { kind: "leave" }, counts: "nothing", error: null };
const failed = (message: string): Settlement => ({
  phase: "ERROR",
  verdict: { kind: "leave" },
  counts: "failure",
  error: { message, type: "transient" },
});

type Case = readonly [Ending, Cause | null, Settlement | null, WayOut, remark: string | null];
const exited = (code: number): Ending => ({ kind: "exited", code });
const killed: Ending = { kind: "signalled", signal: "SIGKILL" };
const notSpawned = (errno: string): Ending => ({ kind: "spawn failed", errno, message: "it was not started" });

const CASES: Readonly<Record<string, Case>> = {
  "exit 0": [exited(0), null, completed, { code: 0 }, null],
  "exit 0, not recorded": [exited(0), null, null, { code: 0 }, null],
  "exit 3": [exited(3), null, failed("exit code 3"), { code: 3 }, null],
  "exit 0, with processes left": [exited(0), null, failed("process 7 is left"), { code: 1 }, "process 7 is left"],
  killed: [killed, null, failed("killed"), { signal: "SIGKILL" }, null],
  "killed by what has no name": [{ kind: "signalled", signal: null }, null, failed("killed"), { code: 1 }, null],
  "timeout, exit 0": [exited(0), "timeout", failed("x"), { code: 124 }, "timed out: exit code 0"],
  "timeout, killed": [killed, "timeout", failed("x"), { code: 124 }, "timed out: killed by SIGKILL (9), killed"],
  abort: [killed, "abort", failed("aborted by root"), { code: 1 }, "aborted by root"],
  "out of memory": [killed, "memory", failed("out of memory"), { signal: "SIGKILL" }, "out of memory"],
  "no program": [notSpawned("ENOENT"), null, failed("x"), { code: 127 }, "it was not started"],
  "no right": [notSpawned("EACCES"), null, failed("x"), { code: 126 }, "it was not started"],
  "too much": [notSpawned("E2BIG"), null, failed("x"), { code: 126 }, "it was not started"],
  "no room": [notSpawned("ENOSPC"), null, failed("x"), { code: 69 }, "it was not started"],
};

describe("a command's end makes ours", () => {
  for (const [name, [ending, cause, settlement, way, remark]] of Object.entries(CASES)) {
    test(name, () => {
      const known = { end: { ...endOfAttempt(1, 0), ending, cause }, settlement };
      expect(wayOut(known)).toEqual(way);
      expect(remarkOn(known)).toBe(remark);
    });
  }
});

describe("what belongs to one process", () => {
  const put = { phase: "QUEUED", verdict: { kind: "release", delayMs: 5 }, counts: "nothing" } as const;

  test("is ABORTED where that was stopped, and ERROR where it would be run again", () => {
    const stopped = { ...put, error: { message: "stopped", type: "transient", cause: "stop" } } as const;
    expect(forItsProcess(stopped)).toEqual({ ...stopped, phase: "ABORTED", verdict: { kind: "leave" } });
    const lost = { ...put, error: { message: "lost", type: "transient" } } as const;
    expect(forItsProcess(lost)).toEqual({ ...lost, phase: "ERROR", verdict: { kind: "leave" } });
  });

  test("keeps the phase that it has got, and is no dead letter", () => {
    for (const settlement of [completed, failed("x"), { ...failed("x"), phase: "ABORTED" } as const]) {
      const told: Settlement = { ...settlement, verdict: { kind: "bury", reason: "x" } };
      expect(forItsProcess(told)).toEqual(settlement);
    }
  });
});
