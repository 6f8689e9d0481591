import { describe, expect, test } from "bun:test";
import type { ReeveError } from "../../src/errors.ts";
import type { WorkerEvent } from "../../src/events.ts";
import { QueueTrouble, type RemoteQueue } from "../../src/queue/port.ts";
import { Polling } from "../../src/worker/polling.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { existing } from "../support/temporary.ts";
import { ToldQueue } from "../support/told-queue.ts";
import { Random } from "../simulation/random.ts";

const LONGEST_WAIT_SECONDS = 20;
const HIGHEST = (): number => 1 - Number.EPSILON;

interface Poll {
  readonly at: number;
  readonly max: number;
  readonly waitSeconds: number;
  endedAt: number | null;
  brought: number;
}

interface Character {
  readonly weight: number;
  /** Messages that one poll brings at most. */
  readonly mostAtOnce: number;
  /** What an answer takes, what a job takes. */
  readonly latencyMs: number;
  readonly jobMs: number;
  /** Whether a poll that finds nothing waits. */
  readonly waits: boolean;
}

/** A queue with messages in it, as seen by polls. */
class Served {
  readonly queue: RemoteQueue;
  readonly character: Character;
  readonly polls: Poll[] = [];
  waiting = 0;
  trouble: QueueTrouble | null = null;
  #arrived: (() => void)[] = [];

  constructor(clock: FakeClock, name: string, fields: Partial<Character>) {
    this.character = { weight: 1, mostAtOnce: 10, latencyMs: 20, jobMs: 100, waits: true, ...fields };
    this.queue = new ToldQueue(clock, { name, ...this.character });
  }

  arrive(messages: number): void {
    this.waiting += messages;
    for (const wake of this.#arrived.splice(0)) wake();
  }

  untilOneArrives(): Promise<void> {
    return new Promise((resolve) => this.#arrived.push(resolve));
  }

  get brought(): number {
    return this.polls.reduce((sum, { brought }) => sum + brought, 0);
  }

  underwayAt(at: number): Poll[] {
    return this.polls.filter((poll) => poll.at <= at && (poll.endedAt ?? Number.POSITIVE_INFINITY) > at);
  }

  pollsBetween(from: number, to: number): Poll[] {
    return this.polls.filter(({ at }) => at >= from && at < to);
  }
}

/** Slots, queues and time. */
class World {
  readonly clock = new FakeClock(0);
  readonly events: WorkerEvent[] = [];
  readonly health: (string | null)[] = [];
  readonly unreachable: ReeveError[] = [];
  readonly polling: Polling;
  mostSeconds = Number.POSITIVE_INFINITY;
  running = 0;
  /** The most parallel polls that there were. */
  mostUnderway = 0;
  readonly #concurrency: number;
  readonly #served: readonly Served[];
  #reserved = 0;
  #underway = 0;

  constructor(concurrency: number, queues: readonly Partial<Character>[], random: () => number = () => 0) {
    const { clock } = this;
    this.#concurrency = concurrency;
    this.#served = queues.map((fields, index) => new Served(clock, `queue-${index}`, fields));
    this.polling = new Polling({
      ports: { clock, random, emit: (event) => this.events.push(event) },
      queues: this.#served.map(({ queue }) => queue),
      concurrency,
      connectTimeoutMs: 60_000,
      inRounds: false,
      room: () => this.room,
      endWithin: () => false,
      takesNoMore: () => false,
      poll: (queue, max, waitSeconds) => this.#poll(queue, max, waitSeconds),
      ended: () => queueMicrotask(this.go),
      onAnswered: () => {},
      onHealth: (trouble) => this.health.push(trouble),
      onUnreachable: (error) => this.unreachable.push(error),
      onFault: (error) => {
        throw error;
      },
    });
  }

  readonly go = (): void => this.polling.go(this.mostSeconds);

  get room(): number {
    return this.#concurrency - this.running - this.#reserved;
  }

  queue(index: number): Served {
    return existing(this.#served[index]);
  }

  async #poll(queue: RemoteQueue, max: number, waitSeconds: number): Promise<number> {
    const served = existing(this.#served.find((one) => one.queue === queue));
    expect(max).toBeGreaterThan(0);
    expect(max).toBeLessThanOrEqual(Math.min(this.room, queue.mostAtOnce));
    const poll: Poll = { at: this.clock.now(), max, waitSeconds, endedAt: null, brought: 0 };
    served.polls.push(poll);
    this.#reserved += max;
    this.#underway += 1;
    this.mostUnderway = Math.max(this.mostUnderway, this.#underway);
    try {
      poll.brought = await this.#answer(served, poll);
    } finally {
      poll.endedAt = this.clock.now();
      this.#underway -= 1;
      this.#reserved -= max;
    }
    this.#run(served, poll.brought);
    return poll.brought;
  }

  async #answer(served: Served, { max, waitSeconds }: Poll): Promise<number> {
    await this.clock.sleep(served.character.latencyMs);
    if (served.trouble) throw served.trouble;
    if (served.waiting === 0 && served.character.waits) {
      const waitMs = Math.min(waitSeconds, LONGEST_WAIT_SECONDS) * 1000;
      await Promise.race([served.untilOneArrives(), this.clock.sleep(waitMs)]);
    }
    const brought = Math.min(max, served.waiting);
    served.waiting -= brought;
    return brought;
  }

  #run({ character }: Served, count: number): void {
    this.running += count;
    for (let index = 0; index < count; index += 1) {
      this.clock.after(character.jobMs, () => {
        this.running -= 1;
        queueMicrotask(this.go);
      });
    }
  }

  async live(milliseconds: number): Promise<void> {
    this.go();
    await takeTurns();
    await this.clock.advance(milliseconds);
  }
}

const ENDLESS = 10 ** 9;
const SECOND = 1000;

describe("one queue", () => {
  test("that is empty is waited for with one long poll at a time, which has all slots", async () => {
    const world = new World(4, [{}]);
    await world.live(200 * SECOND);
    const { polls } = world.queue(0);
    expect([polls.length, world.mostUnderway]).toEqual([10, 1]);
    expect(polls.every(({ max, waitSeconds }) => max === 4 && waitSeconds > 20)).toBe(true);
    expect(world.polling.foundNothing).toBe(true);
  });

  test("is never waited for longer than is said", async () => {
    const world = new World(4, [{}]);
    world.mostSeconds = 7;
    await world.live(70 * SECOND);
    expect(new Set(world.queue(0).polls.map(({ waitSeconds }) => waitSeconds))).toEqual(new Set([7]));
  });

  test.each([Number.POSITIVE_INFINITY, 0])(
    "whose server gives nothing at once is asked once a second (%p)",
    async (most) => {
      const world = new World(4, [{ waits: false, latencyMs: 1 }]);
      world.mostSeconds = most;
      await world.live(60 * SECOND);
      expect(world.queue(0).polls.length).toBeWithin(55, 62);
    },
  );

  test("with more than a poll can bring is polled by several at once, for as long as each brings all it can", async () => {
    const world = new World(40, [{ jobMs: 10, latencyMs: 50 }]);
    world.queue(0).arrive(2000);
    await world.live(60 * SECOND);
    expect(world.mostUnderway).toBeGreaterThanOrEqual(4);
    expect(world.queue(0).brought).toBe(2000);
    expect(world.polling.isUnderway).toBe(true);
    expect(world.queue(0).underwayAt(world.clock.now())).toHaveLength(1);
  });

  test("with less than a poll can bring is polled by one", async () => {
    const world = new World(40, [{ jobMs: 10 }]);
    for (let round = 0; round < 100; round += 1) {
      world.queue(0).arrive(9);
      await world.live(100);
    }
    expect([world.mostUnderway, world.queue(0).brought]).toEqual([1, 900]);
  });

  test("that gives one message a call is polled by as many calls as there are slots", async () => {
    const world = new World(8, [{ mostAtOnce: 1, jobMs: 500, latencyMs: 50 }]);
    world.queue(0).arrive(400);
    await world.live(20 * SECOND);
    expect(world.queue(0).polls.every(({ max }) => max === 1)).toBe(true);
    expect(world.mostUnderway).toBeWithin(4, 9);
    // Eight at a time, each half a second and the answer: 20 s are enough for 290.
    expect(world.queue(0).brought).toBeGreaterThan(250);
  });

  test("has what comes to it run at once, out of the long poll", async () => {
    const world = new World(4, [{}]);
    await world.live(30 * SECOND);
    world.queue(0).arrive(1);
    await takeTurns();
    expect(world.running).toBe(1);
  });
});

describe("several queues", () => {
  test("that are all empty are each waited for with one long poll, which keeps one slot", async () => {
    const world = new World(8, [{}, {}, {}]);
    await world.live(130 * SECOND);
    const steady = [0, 1, 2].flatMap((index) => world.queue(index).pollsBetween(5 * SECOND, 125 * SECOND));
    expect(steady.every(({ max, waitSeconds }) => max === 1 && waitSeconds > 20)).toBe(true);
    expect(steady).toHaveLength(18);
  });

  test("of which one has work: the empty one keeps a slot for a short poll a second, no more", async () => {
    const world = new World(2, [{ jobMs: 100, latencyMs: 5 }, { latencyMs: 30 }]);
    world.queue(0).arrive(ENDLESS);
    await world.live(60 * SECOND);
    const { polls } = world.queue(1);
    expect(polls.length).toBeWithin(50, 62);
    expect(polls.every(({ max, waitSeconds }) => waitSeconds === 0 && max <= 2)).toBe(true);
    // Two slots, 105 ms a job: 1142 in a minute without the other queue.
    expect(world.queue(0).brought).toBeGreaterThan(1142 * 0.94);
  });

  test("of which one gets work after an idle time: the poll that waits for the other keeps one slot to its end", async () => {
    const world = new World(4, [{ jobMs: 1000, latencyMs: 5 }, {}]);
    await world.live(30 * SECOND);
    world.queue(0).arrive(ENDLESS);
    await world.live(5 * SECOND);
    expect(world.running).toBe(3);
    await world.live(20 * SECOND);
    const later = world.queue(1).pollsBetween(30 * SECOND, 60 * SECOND);
    expect(later.length).toBeGreaterThan(2);
    expect(later.every(({ waitSeconds }) => waitSeconds === 0)).toBe(true);
  });

  test("of which one has work: it is given all slots in few polls", async () => {
    const world = new World(8, [{ jobMs: 1000, latencyMs: 20 }, {}]);
    world.queue(0).arrive(ENDLESS);
    await world.live(30 * SECOND);
    expect(world.queue(0).brought).toBeGreaterThan(8 * 28);
    expect(world.queue(0).polls.length).toBeLessThan(world.queue(0).brought / 2);
  });

  test("of which one has had its work done: the next message finds a long poll, without a pause", async () => {
    const world = new World(8, [{ jobMs: 10, latencyMs: 20 }, {}]);
    await world.live(30 * SECOND);
    world.queue(0).arrive(5);
    await world.live(300);
    world.queue(0).arrive(1);
    await takeTurns();
    expect(world.queue(0).brought).toBe(6);
  });

  const shares = [
    ["jobs that take longer than an answer", 8, { jobMs: 1000, latencyMs: 20 }],
    ["jobs that are shorter than an answer", 8, { jobMs: 5, latencyMs: 50 }],
    ["two slots", 2, { jobMs: 70, latencyMs: 50 }],
    ["one slot", 1, { jobMs: 50, latencyMs: 20 }],
    ["one message a call", 8, { jobMs: 130, latencyMs: 50, mostAtOnce: 1 }],
    ["many slots", 64, { jobMs: 300, latencyMs: 50 }],
  ] as const;
  test.each(shares)("that all have work share the slots by their weights: %s", async (_, concurrency, character) => {
    const world = new World(concurrency, [character, { ...character, weight: 3 }]);
    for (const index of [0, 1]) world.queue(index).arrive(ENDLESS);
    await world.live(60 * SECOND);
    const [one, three] = [world.queue(0).brought, world.queue(1).brought];
    expect(three / one).toBeWithin(2.7, 3.3);
  });

  test("of which one was empty for long: it has saved up nothing", async () => {
    const world = new World(4, [{ jobMs: 200 }, { jobMs: 200 }]);
    world.queue(0).arrive(ENDLESS);
    await world.live(120 * SECOND);
    const before = world.queue(0).brought;
    world.queue(1).arrive(ENDLESS);
    await world.live(30 * SECOND);
    expect((world.queue(0).brought - before) / world.queue(1).brought).toBeWithin(0.8, 1.2);
  });

  test("of which one never answers well: the others have all slots between its tries", async () => {
    const world = new World(4, [{ jobMs: 100, latencyMs: 5 }, {}]);
    world.queue(0).arrive(ENDLESS);
    world.queue(1).trouble = new QueueTrouble("transient", "HTTP 500");
    await world.live(50 * SECOND);
    expect(world.queue(0).brought).toBeGreaterThan(4 * 9.5 * 50 * 0.95);
  });
});

describe("fewer slots than queues", () => {
  test("are taken by each in turn, for a second", async () => {
    const world = new World(1, [{}, {}, {}]);
    await world.live(90 * SECOND);
    for (const index of [0, 1, 2]) {
      const polls = world.queue(index).pollsBetween(5 * SECOND, 90 * SECOND);
      expect(polls.length).toBeWithin(25, 31);
      expect(polls.every(({ waitSeconds }) => waitSeconds === 1)).toBe(true);
    }
    world.queue(2).arrive(1);
    await world.live(3 * SECOND);
    expect(world.queue(2).brought).toBe(1);
  });

  test("are taken in turn, too, where jobs have the others", async () => {
    const world = new World(2, [{ jobMs: 3600 * SECOND }, {}]);
    world.queue(0).arrive(1);
    await world.live(30 * SECOND);
    expect(world.running).toBe(1);
    for (const index of [0, 1])
      expect(world.queue(index).pollsBetween(5 * SECOND, 30 * SECOND).length).toBeWithin(10, 15);
  });

  test("are left to a busy one but for a look at the others each second", async () => {
    const world = new World(1, [{ jobMs: 100, latencyMs: 5 }, { latencyMs: 5 }, { latencyMs: 5 }]);
    world.queue(0).arrive(ENDLESS);
    await world.live(30 * SECOND);
    expect(world.queue(0).brought).toBeGreaterThan(250);
    world.queue(2).arrive(1);
    await world.live(1500);
    expect(world.queue(2).brought).toBe(1);
  });
});

test("slots are never promised twice, whatever comes when", async () => {
  const { next: random } = new Random(7);
  for (let round = 0; round < 20; round += 1) {
    const concurrency = 1 + Math.floor(random() * 12);
    const characters = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
      weight: 1 + Math.floor(random() * 5),
      mostAtOnce: random() < 0.3 ? 1 : 10,
      latencyMs: 1 + Math.floor(random() * 100),
      jobMs: 1 + Math.floor(random() * 2000),
      waits: random() < 0.8,
    }));
    const world = new World(concurrency, characters);
    let sent = 0;
    for (let step = 0; step < 40; step += 1) {
      const count = Math.floor(random() * 20);
      sent += count;
      world.queue(Math.floor(random() * characters.length)).arrive(count);
      await world.live(random() * 2000);
      expect(world.room).toBeGreaterThanOrEqual(0);
    }
    await world.live(1000 * SECOND);
    const brought = characters.reduce((sum, _, index) => sum + world.queue(index).brought, 0);
    expect([brought, world.running]).toEqual([sent, 0]);
  }
});

const kinds = (world: World): string[] => world.events.map(({ type }) => type);

function failing(kind: QueueTrouble["kind"]): World {
  const world = new World(4, [{ latencyMs: 0 }], HIGHEST);
  world.queue(0).trouble = new QueueTrouble(kind, "it is not well", "wait");
  return world;
}

describe("a queue in trouble", () => {
  test("is asked again after pauses that double, up to half a minute", async () => {
    const world = failing("transient");
    await world.live(120 * SECOND);
    const at = world.queue(0).polls.map((poll) => Math.round(poll.at / 100) / 10);
    expect(at).toEqual([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5]);
  });

  test("is told of at once, once a minute, and when it has healed: once", async () => {
    const world = failing("transient");
    await world.live(59 * SECOND);
    expect(kinds(world)).toEqual(["queue trouble"]);
    await world.live(30 * SECOND);
    expect(kinds(world)).toEqual(["queue trouble", "queue trouble"]);
    world.queue(0).trouble = null;
    await world.live(200 * SECOND);
    expect(kinds(world)).toEqual(["queue trouble", "queue trouble", "queue healed"]);
    expect(world.health).toEqual(["it is not well", "it is not well", null]);
  });

  test("begins with short pauses after each success", async () => {
    const world = failing("transient");
    await world.live(40 * SECOND);
    const { queue } = { queue: world.queue(0) };
    queue.trouble = null;
    await world.live(60 * SECOND);
    queue.trouble = new QueueTrouble("transient", "again");
    const from = world.clock.now() + 20 * SECOND;
    await world.live(60 * SECOND);
    const [first, second] = queue.pollsBetween(from - 20 * SECOND, from + 40 * SECOND);
    expect(existing(second).at - existing(existing(first).endedAt)).toBeLessThanOrEqual(501);
  });

  test("that was never reached is given up when that lasts, not before", async () => {
    const world = failing("transient");
    await world.live(60 * SECOND);
    expect(world.unreachable).toEqual([]);
    await world.live(2 * SECOND);
    expect(world.unreachable).toHaveLength(1);
    expect(world.unreachable[0]).toMatchObject({ exitCode: 69, message: expect.stringContaining("within 60 s") });
  });

  test("whose answers take long is given up by the time since it was first asked", async () => {
    const world = new World(4, [{ latencyMs: 25 * SECOND }]);
    world.queue(0).trouble = new QueueTrouble("transient", "no answer");
    await world.live(70 * SECOND);
    expect(world.unreachable).toEqual([]);
    await world.live(6 * SECOND);
    expect(world.unreachable).toHaveLength(1);
  });

  test.each(["fatal", "refused"] as const)(
    "that cannot pass (%s) is given up at once, with its reason",
    async (kind) => {
      const world = failing(kind);
      await world.live(1);
      expect(world.unreachable[0]).toMatchObject({
        exitCode: 69,
        message: expect.stringContaining("it is not well"),
        hint: "wait",
      });
    },
  );

  test.each(["transient", "fatal", "refused"] as const)(
    "that was reached once is never given up (%s)",
    async (kind) => {
      const world = new World(4, [{}]);
      world.queue(0).arrive(1);
      await world.live(SECOND);
      world.queue(0).trouble = new QueueTrouble(kind, "it is not well");
      await world.live(600 * SECOND);
      expect(world.unreachable).toEqual([]);
      expect(world.queue(0).polls.length).toBeGreaterThan(15);
    },
  );

  test("says nothing any more when we have broken it off", async () => {
    const world = failing("transient");
    world.go();
    world.polling.close();
    await world.clock.advance(100);
    expect([world.events, world.health]).toEqual([[], []]);
  });
});

describe("that nothing is there", () => {
  test("is known when each queue was waited for, not by short polls", async () => {
    const world = new World(4, [{}, {}]);
    world.mostSeconds = 1;
    await world.live(500);
    expect(world.polling.foundNothing).toBe(false);
    await world.live(2500);
    expect(world.polling.foundNothing).toBe(true);
  });

  test("is not known as long as one could not be asked", async () => {
    const world = new World(4, [{}, {}]);
    world.mostSeconds = 1;
    world.queue(1).trouble = new QueueTrouble("transient", "HTTP 500");
    await world.live(30 * SECOND);
    expect(world.polling.foundNothing).toBe(false);
  });

  test("is not known after one had something", async () => {
    const world = new World(4, [{}]);
    world.mostSeconds = 1;
    await world.live(5 * SECOND);
    world.queue(0).arrive(1);
    await world.live(50);
    expect(world.polling.foundNothing).toBe(false);
  });
});
