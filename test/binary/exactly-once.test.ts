import { expect, test } from "bun:test";
import { FORMS, forEachForm, scaled } from "./forms.ts";
import { Place, sh } from "./place.ts";

/** Each job adds a line of its own; a line is written at once, so that none is torn. */
const TELL = sh('echo "$REEVE_JOB_ID" >> ran').slice(1);

const sorted = (ids: readonly string[]): string[] => ids.toSorted();

forEachForm("workers that share a store", (form) => {
  const jobs = scaled(form, 1000, 60);
  const workers = scaled(form, 8, 3);

  test(`${workers} workers run ${jobs} jobs, each exactly once`, async () => {
    await using place = new Place(form);
    const ids = await place.submitBatch(Array.from({ length: jobs }, () => ({ command: TELL })));
    const drained = await Promise.all(
      Array.from({ length: workers }, () => place.drain("--quiet", "--concurrency", "2")),
    );
    expect(drained.map(({ code }) => code)).toEqual(drained.map(() => 0));
    expect(sorted(place.lines("ran"))).toEqual(sorted(ids));
    const listed = await place.list("--phase", "COMPLETED");
    expect(listed).toHaveLength(jobs);
    expect(listed.every(({ jobInfo }) => jobInfo.attempts.length === 1)).toBe(true);
  });

  const rounds = scaled(form, 25, 4);

  test(`two workers that wake up for the same jobs never take one twice, in ${rounds} rounds`, async () => {
    await using place = new Place(form);
    await Promise.all([place.worker(["--concurrency", "4"]), place.worker(["--concurrency", "4"])]);
    const all: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const ids = await place.submitBatch(Array.from({ length: 12 }, () => ({ command: TELL })));
      all.push(...ids);
      await place.ok("wait", ...ids);
    }
    expect(sorted(place.lines("ran"))).toEqual(sorted(all));
    const attempts = (await place.list()).flatMap(({ jobInfo }) => jobInfo.attempts);
    expect(attempts).toHaveLength(all.length);
    expect(new Set(attempts.map(({ worker }) => worker)).size).toBe(2);
  });
});

test("workers of all forms share a store", async () => {
  const [first, ...others] = FORMS.map((form) => form);
  if (!first) throw new Error("there are no forms");
  await using place = new Place(first);
  const ids = await place.submitBatch(
    Array.from({ length: 150 }, () => ({ command: ["sh", "-c", "sleep 0.02; echo $REEVE_JOB_ID >> ran"] })),
  );
  const beside = others.map((form) => new Place(form, place.store));
  try {
    await Promise.all([place, ...beside].map((one) => one.drain("--concurrency", "2")));
  } finally {
    for (const one of beside) await one[Symbol.asyncDispose]();
  }
  expect(sorted(place.lines("ran"))).toEqual(sorted(ids));
  const attempts = (await place.list()).flatMap(({ jobInfo }) => jobInfo.attempts);
  expect(new Set(attempts.map(({ worker }) => worker)).size).toBe(FORMS.length);
});
