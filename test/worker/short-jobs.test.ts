import { expect, test } from "bun:test";
import type { RemoteQueue } from "../../src/queue/port.ts";
import { Polling } from "../../src/worker/polling.ts";
import { ShortJobs } from "../../src/worker/short-jobs.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";

const ROUND_TRIP_MS = 20;

function unused(): never {
  throw new Error("polling asks for none of this");
}

/** A worker of four slots before a queue: polls are answered when the test says so. */
class Bench {
  readonly clock = new FakeClock(0);
  /** What each poll asked for, and when. */
  readonly polls: { readonly at: number; readonly max: number }[] = [];
  readonly #answers: ((started: number) => void)[] = [];
  room = 4;
  jobsAreShort = true;
  takesNoMore = false;
  hurries = false;
  readonly #polling: Polling;

  constructor(mostAtOnce = 10) {
    const queue: RemoteQueue = {
      name: "jobs",
      weight: 1,
      mostAtOnce,
      putBackMs: 0,
      terms: { visibilityMs: 60_000, beatMs: 20_000 },
      hurry: (isWanted) => (this.hurries = isWanted),
      receive: unused,
      extend: unused,
      acknowledge: unused,
      release: unused,
      bury: unused,
      nextDue: unused,
      isDrained: unused,
      renew: unused,
      close: unused,
    };
    this.#polling = new Polling({
      ports: { clock: this.clock, random: () => 0, emit: unused },
      queues: [queue],
      concurrency: 4,
      connectTimeoutMs: 1000,
      inRounds: false,
      room: () => this.room,
      endWithin: () => this.jobsAreShort,
      takesNoMore: () => this.takesNoMore,
      poll: (_queue, max) => {
        this.room -= max;
        this.polls.push({ at: this.clock.now(), max });
        return new Promise((resolve) => this.#answers.push(resolve));
      },
      ended: () => this.go(),
      onAnswered: () => {},
      onHealth: unused,
      onUnreachable: unused,
      onFault: unused,
    });
  }

  go(): void {
    this.#polling.go(20);
  }

  /** The first of the polls under way is answered, after so many milliseconds. */
  async answer(started: number, afterMs = ROUND_TRIP_MS): Promise<void> {
    await this.clock.advance(afterMs);
    this.#answers.shift()?.(started);
    await takeTurns();
  }

  /** So many jobs have ended. */
  free(slots: number): void {
    this.room += slots;
    this.go();
  }

  /** The first poll has been answered with all that was asked for. */
  static async full(mostAtOnce?: number): Promise<Bench> {
    const bench = new Bench(mostAtOnce);
    bench.go();
    await bench.answer(bench.polls[0]?.max ?? 0);
    return bench;
  }
}

test("short jobs that run are waited for, so that one poll asks for all their slots", async () => {
  const bench = await Bench.full();
  bench.free(1);
  await bench.clock.advance(10);
  bench.free(2);
  expect(bench.polls.length).toBe(1);
  bench.jobsAreShort = false;
  bench.free(1);
  expect(bench.polls).toEqual([
    { at: 0, max: 4 },
    { at: ROUND_TRIP_MS + 10, max: 4 },
  ]);
  bench.jobsAreShort = true;
  await bench.answer(4, 3 * ROUND_TRIP_MS);
  bench.free(1);
  expect(bench.polls.length).toBe(2);
});

test("jobs that turn out to be long are waited for no longer than two polls take", async () => {
  const bench = await Bench.full();
  bench.free(1);
  await bench.clock.advance(2 * ROUND_TRIP_MS - 1);
  expect(bench.polls.length).toBe(1);
  await bench.clock.advance(1);
  expect(bench.polls[1]).toEqual({ at: 3 * ROUND_TRIP_MS, max: 1 });
});

test("a free slot is polled for at once where jobs are long", async () => {
  const bench = await Bench.full();
  bench.jobsAreShort = false;
  bench.free(1);
  expect(bench.polls[1]).toEqual({ at: ROUND_TRIP_MS, max: 1 });
});

test("a free slot is polled for at once where the queue had less than was asked for", async () => {
  const bench = new Bench();
  bench.go();
  bench.room = 1;
  await bench.answer(3);
  expect(bench.polls[1]).toEqual({ at: ROUND_TRIP_MS, max: 1 });
});

test("a free slot is polled for at once where a poll brings one message however many are free", async () => {
  const bench = await Bench.full(1);
  bench.free(1);
  expect(bench.polls[1]).toEqual({ at: ROUND_TRIP_MS, max: 1 });
});

test("a poll that had to wait for its message does not tell how far the queue is", async () => {
  const bench = new Bench();
  bench.go();
  await bench.answer(4, 15_000);
  bench.free(1);
  expect(bench.polls[1]).toEqual({ at: 15_000, max: 1 });
});

test("a queue is told at once when it has no more, or nothing more is taken, and not else", async () => {
  const bench = await Bench.full();
  expect(bench.hurries).toBe(false);
  bench.takesNoMore = true;
  bench.go();
  expect(bench.hurries).toBe(true);
  bench.takesNoMore = false;
  bench.jobsAreShort = false;
  bench.free(4);
  expect(bench.hurries).toBe(false);
  await bench.answer(0);
  expect(bench.hurries).toBe(true);
});

test("jobs are short when the last one was, and those that have had as long are not", async () => {
  const clock = new FakeClock(0);
  const [first, second] = [{ started: { startedAt: 0 } }, { started: { startedAt: 5 } }];
  const active = new Set([first, second]);
  const jobs = new ShortJobs(active, clock);
  expect(jobs.endWithin(20)).toBe(false);
  await clock.advance(15);
  active.delete(first);
  jobs.ended(first);
  expect([jobs.endWithin(20), jobs.endWithin(14)]).toEqual([true, false]);
  await clock.advance(10);
  expect([jobs.endWithin(20), jobs.endWithin(21)]).toEqual([false, true]);
});
