import { afterAll, describe, expect, test } from "bun:test";
import { Emptiness } from "../../src/queue/sqs-emptiness.ts";
import { GoalWatch } from "../../src/worker/goal.ts";
import { Intake } from "../../src/worker/intake.ts";
import { STAY, type Goal } from "../../src/worker/ports.ts";
import { ShortJobs } from "../../src/worker/short-jobs.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { existing, temporaryStore } from "../support/temporary.ts";
import { ToldQueue } from "../support/told-queue.ts";

const at = temporaryStore();
afterAll(() => at[Symbol.dispose]());

/** Messages that come when the test says so, and what was put back. */
class Elsewhere extends ToldQueue {
  readonly waits: number[] = [];
  readonly #world: FakeClock;
  readonly #emptiness: Emptiness;
  #dueAt: number[] = [];

  constructor(clock: FakeClock, name: string) {
    super(clock, { name });
    this.#world = clock;
    this.#emptiness = new Emptiness(clock);
  }

  /** One message comes after so long. */
  arrive(delayMs: number): void {
    this.#dueAt.push(this.#world.boottime() + delayMs);
  }

  putBack(delayMs: number): void {
    this.arrive(delayMs);
    this.#emptiness.putBack(delayMs);
  }

  /** Gives how many have come. */
  async poll(waitSeconds: number): Promise<number> {
    this.waits.push(waitSeconds);
    const begun = this.#world.boottime();
    const end = begun + waitSeconds * 1000;
    const next = Math.min(...this.#dueAt, end);
    await this.#world.sleep(Math.max(10, next - begun));
    const isThere = this.#dueAt.some((due) => due <= this.#world.boottime());
    if (isThere) this.#dueAt = this.#dueAt.toSorted((a, b) => a - b).slice(1);
    this.#emptiness.polled(isThere ? 1 : 0, begun, waitSeconds);
    return isThere ? 1 : 0;
  }

  override isDrained(): boolean {
    return this.#emptiness.isSeen;
  }
}

const JOB_MS = 3000;

/** A worker's loop without the worker: four slots, jobs of three seconds. */
class Loop {
  readonly clock = new FakeClock(0);
  readonly intake: Intake;
  /** When its goal was reached, in milliseconds. */
  endedAt: number | null = null;
  running = 0;
  readonly #goal: GoalWatch;
  readonly #queues: readonly Elsewhere[];
  #reserved = 0;

  constructor(goal: Partial<Goal>, queues = 1, stopBudgetMs = 25_000) {
    const { clock } = this;
    this.#queues = Array.from({ length: queues }, (_, index) => new Elsewhere(clock, `queue-${index}`));
    const { store } = at;
    const ports = { clock, random: () => 0, store, queues: this.#queues, emit() {} };
    const wanted = { ...STAY, ...goal };
    const wake = (): void => queueMicrotask(this.turn);
    this.#goal = new GoalWatch(wanted, ports, wake);
    this.intake = new Intake({
      ports,
      settings: { id: "worker-1", concurrency: 4, connectTimeoutMs: 60_000, stopBudgetMs, goal: wanted },
      dispatcher: this.#dispatcher(wake),
      goal: this.#goal,
      isReady: () => true,
      wake,
      onUnreachable: (error) => {
        throw error;
      },
      onFault: (error) => {
        throw error;
      },
    });
  }

  #dispatcher(wake: () => void) {
    const room = (): number => 4 - this.running - this.#reserved;
    return {
      get room() {
        return room();
      },
      takesNoMore: false,
      shortJobs: new ShortJobs(new Set(), this.clock),
      topUp: async () => false,
      poll: async (queue: { readonly name: string }, max: number, waitSeconds: number): Promise<number> => {
        this.#reserved += max;
        const started = await existing(this.#queues.find(({ name }) => name === queue.name)).poll(waitSeconds);
        this.#reserved -= max;
        this.running += started;
        if (started > 0) {
          this.clock.after(JOB_MS, () => {
            this.running -= 1;
            wake();
          });
        }
        return started;
      },
    };
  }

  queue(index = 0): Elsewhere {
    return existing(this.#queues[index]);
  }

  readonly turn = (): void => {
    if (this.endedAt !== null) return;
    const isFree = !this.intake.isBusy && this.running === 0 && this.intake.hasClaimed;
    if (isFree && this.#goal.isReached(this.intake.foundNothing)) this.endedAt = this.clock.monotonic();
    else this.intake.poll();
    if (this.intake.sleepMs < Number.POSITIVE_INFINITY) this.clock.after(this.intake.sleepMs, this.turn);
  };

  async live(milliseconds: number): Promise<void> {
    this.turn();
    await takeTurns();
    await this.clock.advance(milliseconds);
  }
}

describe("a worker that is to empty its queue", () => {
  test("ends after one look of a second that found nothing", async () => {
    const loop = new Loop({ drain: true });
    await loop.live(10_000);
    expect([loop.endedAt, loop.queue().waits, loop.intake.foundAny]).toEqual([1000, [1], false]);
  });

  test("ends when what it found has been run, and nothing more is there", async () => {
    const loop = new Loop({ drain: true });
    for (let job = 0; job < 5; job += 1) loop.queue().arrive(0);
    await loop.live(60_000);
    expect(loop.endedAt).toBeWithin(2 * JOB_MS, 2 * JOB_MS + 2500);
    expect(loop.intake.foundAny).toBe(true);
  });

  test("waits for what it has put back itself", async () => {
    const loop = new Loop({ drain: true });
    loop.queue().putBack(30_000);
    await loop.live(60_000);
    expect(loop.endedAt).toBeWithin(30_000 + JOB_MS, 30_000 + JOB_MS + 2500);
  });

  test("waits for all of several queues", async () => {
    const loop = new Loop({ drain: true }, 3);
    loop.queue(2).putBack(10_000);
    await loop.live(60_000);
    expect(loop.endedAt).toBeWithin(10_000 + JOB_MS, 10_000 + JOB_MS + 3500);
  });
});

describe("a worker that is to look once", () => {
  test.each([1, 2, 5])("at %d queues has waited for each before it says that nothing is there", async (queues) => {
    const loop = new Loop({ whenEmpty: true, maxJobs: 1 }, queues);
    await loop.live(30_000);
    expect(loop.endedAt).not.toBeNull();
    expect(loop.intake.foundAny).toBe(false);
    for (let index = 0; index < queues; index += 1) expect(loop.queue(index).waits).toContain(1);
  });

  test("finds what comes within that second", async () => {
    const loop = new Loop({ whenEmpty: true, maxJobs: 1 });
    loop.queue().arrive(900);
    await loop.live(950);
    expect([loop.running, loop.intake.foundAny]).toEqual([1, true]);
  });
});

describe("how long a poll waits", () => {
  test.each([
    [25_000, 22],
    [7000, 4],
    [3000, 0],
    [1000, 0],
  ])("leaves a stop of %d ms its time: %d s", async (stopBudgetMs, seconds) => {
    const loop = new Loop({}, 1, stopBudgetMs);
    await loop.live(1);
    expect(loop.queue().waits[0]).toBe(seconds);
  });

  test("does not outlast the time after which an idle worker ends", async () => {
    const loop = new Loop({ idleExitMs: 5000 });
    await loop.live(60_000);
    expect(loop.queue().waits[0]).toBe(5);
    expect(loop.endedAt).toBe(5000);
  });

  test("begins anew for an idle worker when it has worked", async () => {
    const loop = new Loop({ idleExitMs: 5000 });
    loop.queue().arrive(4000);
    await loop.live(60_000);
    expect(loop.endedAt).toBeWithin(9000, 9100 + JOB_MS);
  });
});
