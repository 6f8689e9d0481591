import { describe, expect, test } from "bun:test";
import type { WorkerEvent } from "../../src/events.ts";
import { OWN } from "../../src/queue/port.ts";
import type { Cause, CleanUp, Ending, Settlement } from "../../src/store/job.ts";
import { reviewed, type Decision } from "../../src/worker/review.ts";
import { aJob } from "../support/temporary.ts";

const EXITED: Ending = { kind: "exited", code: 3 };
const FAILED: Settlement = {
  phase: "QUEUED",
  verdict: { kind: "release", delayMs: 7 },
  counts: "failure",
  error: { message: "exit code 3", type: "transient" },
};
const DIRTY: CleanUp = { outcome: "failed", tries: 2, exitCode: 1, signal: null, tookMs: 1 };

interface Outcome {
  readonly settlement: Settlement;
  readonly isAsked: boolean;
  readonly told: readonly WorkerEvent[];
}

function settled(
  decide: () => Decision | null,
  {
    cause = null,
    cleanUp = null,
    ending = EXITED,
  }: { cause?: Cause | null; cleanUp?: CleanUp | null; ending?: Ending } = {},
): Outcome {
  const job = aJob({ attempts: 2 });
  const started = { job, message: { id: "m", receipt: "r", receiveCount: 2, job, ...OWN } };
  const told: WorkerEvent[] = [];
  let isAsked = false;
  const settlement = reviewed(
    FAILED,
    { started, cause },
    { ending, cleanUp },
    {
      emit: (event) => told.push(event),
      review: (judged) => {
        isAsked = true;
        expect(judged).toMatchObject({ job: job.id, attempt: 2, receiveCount: 2, ending, settlement: FAILED });
        return decide();
      },
    },
  );
  return { settlement, isAsked, told };
}

const BURY = { kind: "bury", reason: "no use" } as const;

describe("whoever made the worker", () => {
  test("may put a job back, or give it up", () => {
    const verdict = { kind: "release", delayMs: 500 } as const;
    expect(settled(() => verdict).settlement).toEqual({ ...FAILED, verdict, counts: "nothing" });
    const error = { message: "no use", type: "fatal" } as const;
    expect(settled(() => BURY).settlement).toEqual({ phase: "ERROR", verdict: BURY, counts: "nothing", error });
  });

  test("may leave it to its limits, and does so where it throws", () => {
    expect(settled(() => null)).toMatchObject({ settlement: FAILED, told: [] });
    const { settlement, told } = settled(() => {
      throw new Error("no idea");
    });
    expect(settlement).toBe(FAILED);
    expect(told).toEqual([{ type: "trouble", what: expect.stringContaining("was not decided: no idea") }]);
  });

  test.each(["timeout", "memory"] as const)("is asked after an end by %s", (cause) => {
    expect(settled(() => BURY, { cause })).toMatchObject({ isAsked: true, settlement: { verdict: BURY } });
  });

  test.each(["stop", "abort", "overrun", "lease lost", "expired"] as const)(
    "is not asked after an end by %s",
    (cause) => {
      expect(settled(() => BURY, { cause })).toMatchObject({ isAsked: false, settlement: FAILED });
    },
  );

  test("is not asked about what was not started, or not cleaned up after", () => {
    const ending = { kind: "not started", reason: "owed" } as const;
    expect(settled(() => BURY, { ending })).toMatchObject({ isAsked: false, settlement: FAILED });
    expect(settled(() => BURY, { cleanUp: DIRTY })).toMatchObject({ isAsked: false, settlement: FAILED });
  });
});
