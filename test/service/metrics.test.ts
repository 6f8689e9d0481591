import { describe, expect, test } from "bun:test";
import { metricsText } from "../../src/service/metrics.ts";
import type { WorkerRow } from "../../src/store/workers.ts";
import { newJob, temporaryStore } from "../support/temporary.ts";

const row = (id: string): WorkerRow => ({
  id,
  directory: `/${id}`,
  startedAt: 1000,
  host: "here",
  pid: 7,
  bootId: "boot",
  pidNamespace: "pid:[1]",
  version: "1",
  concurrency: 3,
  trouble: null,
  polledAt: null,
});

/** The grammar of the text format: comments, and a name, labels and a number a line. */
const LINE =
  /^(?:# (?:HELP|TYPE) reeve_\w+ .+|reeve_\w+(?:\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\})? -?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

describe("the text for Prometheus", () => {
  test("is one, with nothing known and with names that need to be escaped", async () => {
    using at = temporaryStore();
    const { store } = at;
    const text = (): string => metricsText({ store, isAlive: () => true, now: 61_000 });
    const lines = (): string[] => text().trimEnd().split("\n");
    expect(lines().filter((line) => !LINE.test(line))).toEqual([]);
    await store.write(() => {
      const name = 'a"b\\c\nd';
      store.submission.submit([newJob({ definition: name })], 1000);
      store.tallies.beatMissed(name);
    });
    expect(lines().filter((line) => !LINE.test(line))).toEqual([]);
    expect(text()).toContain('reeve_jobs{definition="a\\"b\\\\c\\nd",phase="QUEUED"} 1\n');
    expect(text()).toContain("reeve_queue_age_seconds 60\n");
    expect(text()).toContain('reeve_beats_missed_total{queue="a\\"b\\\\c\\nd"} 1\n');
    expect(text()).toContain('reeve_leases_lost_total{queue="a\\"b\\\\c\\nd"} 0\n');
  });

  test("has each family once, with what it is", () => {
    using at = temporaryStore();
    const text = metricsText({ store: at.store, isAlive: () => true, now: 0 });
    const names = [...text.matchAll(/^# TYPE (\w+) (?:gauge|counter|histogram)$/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(5);
    expect(new Set(names).size).toBe(names.length);
  });

  test("tells workers that are well from those that are ill or dead", async () => {
    using at = temporaryStore();
    const { store } = at;
    await store.write(() => {
      for (const id of ["well", "ill", "dead"]) store.workers.register(row(id));
      store.workers.ill("ill", "the queue does not answer");
    });
    const text = metricsText({ store, isAlive: ({ id }) => id !== "dead", now: 0 });
    for (const state of ["well", "ill", "dead"]) expect(text).toContain(`reeve_workers{state="${state}"} 1\n`);
    expect(text).toContain("reeve_worker_slots 6\n");
  });

  test("counts in a bucket what is in those below it", async () => {
    using at = temporaryStore();
    at.store.database.run(
      `INSERT INTO attempt_counts(definition, ending, cause, phase, limit_ms, attempts, ms)
        VALUES('a', 'exited', '', 'COMPLETED', 100, 2, 20), ('a', 'exited', '', 'ERROR', 1000, 3, 2400),
          ('a', 'signalled', 'timeout', 'ERROR', -1, 1, 90000000), ('a', 'lost', '', 'QUEUED', 100, 9, 9)`,
    );
    const text = metricsText({ store: at.store, isAlive: () => true, now: 0 });
    const buckets = [...text.matchAll(/_bucket\{definition="a",le="([^"]+)"\} (\d+)/g)].map(([, le, n]) => [
      le,
      Number(n),
    ]);
    expect(buckets.slice(0, 4)).toEqual([
      ["0.1", 2],
      ["0.5", 2],
      ["1", 5],
      ["5", 5],
    ]);
    expect(buckets.slice(-2)).toEqual([
      ["86400", 5],
      ["+Inf", 6],
    ]);
    expect(text).toContain('_sum{definition="a"} 90002.42\n');
    expect(text).toContain('_count{definition="a"} 6\n');
    expect(text).toContain('reeve_attempts_total{definition="a",ending="signalled",cause="timeout",phase="ERROR"} 1\n');
  });
});
