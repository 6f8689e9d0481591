import { expect, test } from "bun:test";
import { STRETCH_MS } from "../../src/page/chart-frame.ts";
import { History } from "../../src/service/history.ts";
import type { Phase } from "../../src/store/phases.ts";
import type { Overview } from "../../src/store/overview.ts";
import { newJob, temporaryStore, type TemporaryStore } from "../support/temporary.ts";

const NOW = 2_000_000 * STRETCH_MS + 60_000;
const EVERYBODYS = { owner: null };

/** A history that says when the stretches begin that it reads. */
function watched({ store }: TemporaryStore) {
  const read: number[] = [];
  let now = NOW;
  const overview: Pick<Overview, "made" | "newest"> = {
    made(stretch, which) {
      read.push(stretch.from);
      return store.overview.made(stretch, which);
    },
    newest: (stretch, which, most) => store.overview.newest(stretch, which, most),
  };
  const history = new History(overview, { now: () => now });
  return { history, read, pass: (milliseconds: number) => void (now += milliseconds) };
}

/** Jobs that were made at a time, and began a stretch later where they have begun. */
async function make({ store }: TemporaryStore, at: number, phase: Phase, count = 1): Promise<void> {
  await store.write(() => {
    const begun = phase === "QUEUED" ? null : at + STRETCH_MS;
    for (const id of store.submission.submit(
      Array.from({ length: count }, () => newJob()),
      at,
    ))
      store.database.run(
        "UPDATE jobs SET phase = ?, started_at = ?, ended_at = ? WHERE id = ?",
        phase,
        begun,
        begun,
        id,
      );
  });
}

test("all of a day is read once; after that only where something can still change", async () => {
  using at = temporaryStore();
  const { history, read, pass } = watched(at);
  await make(at, NOW - 20 * STRETCH_MS, "COMPLETED", 3);
  await make(at, NOW - 10 * STRETCH_MS, "QUEUED");
  await make(at, NOW - 30 * 96 * STRETCH_MS, "ERROR");
  const day = history.lastDay(EVERYBODYS);
  expect([day.isCut, day.jobs.map(({ phase }) => phase)]).toEqual([
    false,
    ["QUEUED", "COMPLETED", "COMPLETED", "COMPLETED"],
  ]);
  expect(read.length).toBe(96);
  expect(day.stretches.flatMap(({ counts }) => counts)).toEqual([
    { phase: "COMPLETED", waited: 1, jobs: 3 },
    { phase: "QUEUED", waited: null, jobs: 1 },
  ]);
  read.length = 0;
  await make(at, NOW, "EXECUTING");
  expect(history.lastDay(EVERYBODYS).jobs.length).toBe(5);
  expect(read).toEqual([NOW - 10 * STRETCH_MS - 60_000, NOW - 60_000]);
  // Somebody may have deleted jobs.
  pass(30 * 60_000);
  read.length = 0;
  history.lastDay(EVERYBODYS);
  expect(read.length).toBe(96);
});

test("where jobs are many they are counted, and some of each stretch are given", async () => {
  using at = temporaryStore();
  const { history } = watched(at);
  await make(at, NOW - 50 * STRETCH_MS, "COMPLETED", 1490);
  await make(at, NOW - 5 * STRETCH_MS, "ERROR", 20);
  const day = history.lastDay(EVERYBODYS);
  expect([day.isCut, day.jobs.length, day.jobs.filter(({ phase }) => phase === "ERROR").length]).toEqual([
    true,
    45,
    20,
  ]);
  const sum = day.stretches.flatMap(({ counts }) => counts).reduce((all, { jobs }) => all + jobs, 0);
  expect(sum).toBe(1510);
});
