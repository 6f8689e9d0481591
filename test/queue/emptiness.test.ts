import { describe, expect, test } from "bun:test";
import { Emptiness } from "../../src/queue/sqs-emptiness.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** A poll that found so many. */
async function poll(clock: FakeClock, emptiness: Emptiness, found: number, waitSeconds: number): Promise<void> {
  const begun = clock.boottime();
  await clock.advance(found > 0 ? 10 : waitSeconds * 1000 + 10);
  emptiness.polled(found, begun, waitSeconds);
}

describe("that nothing is left in a queue", () => {
  test("is not known before it was polled", () => {
    expect(new Emptiness(new FakeClock()).isSeen).toBe(false);
  });

  test("is seen by one empty poll of a second", async () => {
    const clock = new FakeClock();
    const emptiness = new Emptiness(clock);
    await poll(clock, emptiness, 0, 1);
    expect(emptiness.isSeen).toBe(true);
    await poll(clock, emptiness, 3, 1);
    expect(emptiness.isSeen).toBe(false);
  });

  test("is seen by short polls only when they find nothing for a second", async () => {
    const clock = new FakeClock();
    const emptiness = new Emptiness(clock);
    await poll(clock, emptiness, 0, 0);
    await poll(clock, emptiness, 0, 0);
    expect(emptiness.isSeen).toBe(false);
    await clock.advance(500);
    await poll(clock, emptiness, 1, 0);
    await clock.advance(1000);
    await poll(clock, emptiness, 0, 0);
    expect(emptiness.isSeen).toBe(false);
    await clock.advance(1000);
    await poll(clock, emptiness, 0, 0);
    expect(emptiness.isSeen).toBe(true);
  });

  test("is not true of what was put back, until that could have come again", async () => {
    const clock = new FakeClock();
    const emptiness = new Emptiness(clock);
    emptiness.putBack(30_000);
    for (let seconds = 0; seconds < 29; seconds += 1) await poll(clock, emptiness, 0, 1);
    expect(emptiness.isSeen).toBe(false);
    await poll(clock, emptiness, 0, 1);
    expect(emptiness.isSeen).toBe(true);
    emptiness.putBack(5000);
    expect(emptiness.isSeen).toBe(false);
  });

  test("is not true of what was put back for less than a second, which SQS makes one", async () => {
    const clock = new FakeClock();
    const emptiness = new Emptiness(clock);
    const begun = clock.boottime();
    await clock.advance(500);
    emptiness.putBack(100);
    await clock.advance(510);
    emptiness.polled(0, begun, 1);
    expect(emptiness.isSeen).toBe(false);
    await poll(clock, emptiness, 0, 1);
    expect(emptiness.isSeen).toBe(true);
  });
});
