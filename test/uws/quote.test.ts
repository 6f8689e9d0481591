import { describe, expect, test } from "bun:test";
import type { Job } from "../../src/store/job.ts";
import { PHASES } from "../../src/store/phases.ts";
import { quoteOf, type Known } from "../../src/uws/quote.ts";
import { aJob } from "../support/temporary.ts";

const NOW = 1_000_000_000_000;
const MINUTE = 60_000;

interface World {
  readonly pace?: number | null;
  readonly ahead?: number;
  readonly running?: number;
  readonly slots?: number;
  /** Milliseconds since the attempt began. */
  readonly ranFor?: number;
}

/** In seconds from now; null: there is none. */
function quoted(fields: Partial<Job>, { pace = MINUTE, ahead = 0, running = 0, slots = 2, ranFor = 0 }: World = {}) {
  const store: Known = {
    tallies: { pace: () => pace, ahead: () => ahead, inPhase: () => running, queuedPace: () => 2 * MINUTE },
    workers: { slots: () => slots },
    attempts: { one: () => ({ startedAt: NOW - ranFor, suspendedMs: 0, suspendedAt: null }) },
  };
  const quote = quoteOf(store, aJob({ definition: "a", ...fields }), NOW);
  return quote === null ? null : (quote - NOW) / 1000;
}

describe("a quote", () => {
  test.each(["PENDING", "QUEUED"] as const)("of a job that is %s counts what comes before it", (phase) => {
    expect(quoted({ phase })).toBe(60);
    expect(quoted({ phase }, { running: 1 })).toBe(60);
    // Two that run have come half of their two minutes.
    expect(quoted({ phase }, { running: 2 })).toBe(120);
    expect(quoted({ phase }, { running: 2, ahead: 4 })).toBe(360);
    expect(quoted({ phase, availableAt: NOW + 10 * MINUTE })).toBe(660);
  });

  test("of one that runs is when it has taken as long as others, as long as that tells anything", () => {
    expect(quoted({ phase: "EXECUTING" }, { ranFor: 20_000 })).toBe(40);
    expect(quoted({ phase: "EXECUTING" }, { ranFor: 61_000 })).toBeNull();
  });

  test("is nothing where nothing is known", () => {
    expect(quoted({ phase: "QUEUED" }, { pace: null })).toBeNull();
    expect(quoted({ phase: "QUEUED", definition: null })).toBeNull();
    expect(quoted({ phase: "QUEUED", definition: "" })).toBeNull();
    expect(quoted({ phase: "QUEUED" }, { slots: 0 })).toBeNull();
    expect(quoted({ phase: "QUEUED", waiting: 1 })).toBeNull();
    expect(quoted({ phase: "QUEUED", queue: "http://localhost/q" })).toBeNull();
    const others = PHASES.filter((phase) => !["PENDING", "QUEUED", "EXECUTING"].includes(phase));
    expect(others.filter((phase) => quoted({ phase }) !== null)).toEqual([]);
  });
});
