import { afterAll, describe, expect, test } from "bun:test";
import type { WorkerEvent } from "../../src/events.ts";
import type { RunningTree, Slot } from "../../src/process/port.ts";
import type { Message, Terms } from "../../src/queue/port.ts";
import type { Verdict } from "../../src/store/job.ts";
import { ActiveJob } from "../../src/worker/active-job.ts";
import type { Lease, Told } from "../../src/worker/lease.ts";
import { Leases } from "../../src/worker/leases.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { aJob, existing, limits, temporaryStore } from "../support/temporary.ts";
import { ToldQueue, type AnswerKind } from "../support/told-queue.ts";

const TERMS: Terms = { visibilityMs: 60_000, beatMs: 20_000 };
const GRACE_MS = 10_000;
/** What is kept at the end of a lease beside the grace. */
const RESERVE_MS = 2000;
const HOUR_MS = 3_600_000;

const at = temporaryStore();
afterAll(() => at[Symbol.dispose]());

/** A tree that does as it is told at once, and tells when that was. */
class ToldTree implements RunningTree {
  readonly pid = 4711;
  readonly exited = Promise.withResolvers<never>().promise;
  readonly told: { readonly what: "stop" | "kill" | "suspend"; readonly at: number }[] = [];
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  #tell(what: "stop" | "kill" | "suspend"): void {
    this.told.push({ what, at: this.#clock.boottime() });
  }

  /** Milliseconds since 1970 of the first; undefined: it was not told so. */
  toldAt(what: "stop" | "kill"): number | undefined {
    return this.told.find((one) => one.what === what)?.at;
  }

  hasEnded = (): boolean => false;
  stop = (): void => this.#tell("stop");
  kill = (): void => this.#tell("kill");
  suspend = async (): Promise<void> => this.#tell("suspend");
  resume(): void {}
  remember(): void {}
  forward(): void {}
  gone = async (): Promise<null> => null;
  leave(): void {}
  letGo(): void {}
}

const NO_SLOT: Slot = {
  directory: "/nowhere",
  start: () => {
    throw new Error("nothing is started here");
  },
  places: () => ({}),
  listen: () => {},
  catchUp: () => false,
  collect: () => {
    throw new Error("nothing is collected here");
  },
  close() {},
};

const messageAt = (leasedUntil: number): Message => ({
  id: "message-1",
  receipt: "receipt-1",
  receiveCount: 1,
  job: aJob({ queue: "told", messageId: "message-1" }),
  rejected: null,
  isLast: false,
  leasedUntil,
  ifGivenUp: "bury",
});

/** A job that runs, whose message came in this moment. */
class Held {
  readonly clock = new FakeClock();
  readonly queue: ToldQueue;
  readonly tree = new ToldTree(this.clock);
  readonly events: WorkerEvent[] = [];
  readonly active: ActiveJob;
  readonly leases: Leases;
  readonly lease: Lease;
  readonly begunAt = this.clock.boottime();
  /** What became of the verdict; null: it was not told yet, undefined: there is none yet. */
  told: Told | null | undefined;

  constructor(terms = TERMS, random: () => number = () => 0) {
    const { clock } = this;
    this.queue = new ToldQueue(clock, { terms });
    this.leases = new Leases({ clock, random, emit: (event) => this.events.push(event), store: at.store }, (fault) => {
      throw fault;
    });
    const message = messageAt(clock.boottime() + terms.visibilityMs);
    this.active = new ActiveJob(
      {
        queue: this.queue,
        message,
        job: message.job,
        inputs: { context: { kind: "definition" }, command: null, parameters: [], attributes: {}, body: null },
        planned: { kind: "rejected", reason: "it is not run", limits: limits({ graceMs: GRACE_MS }) },
        slot: NO_SLOT,
        startedAt: clock.now(),
        outlives: false,
        adopted: null,
      },
      { clock, graceLeft: () => Number.POSITIVE_INFINITY, stopSignal: () => null, wake() {}, endsOutliving: true },
    );
    this.lease = existing(this.leases.of(this.active));
    this.active.begun(this.tree);
  }

  /** The job has ended, and the queue is told. */
  async settle(verdict: Verdict): Promise<void> {
    this.active.exited();
    this.told = null;
    void this.lease.settle(verdict).then((told) => {
      this.told = told;
      this.leases.drop(this.lease);
    });
    await takeTurns();
  }

  async answer(kind: AnswerKind, grantedMs?: number): Promise<void> {
    this.queue.answer(kind, grantedMs);
    await takeTurns();
  }

  /** Lets so much time pass, in which whatever is asked is answered so, at once. */
  async live(milliseconds: number, kind: AnswerKind = "ok"): Promise<void> {
    const end = this.clock.boottime() + milliseconds;
    for (;;) {
      if (this.queue.underway) await this.answer(kind);
      const left = end - this.clock.boottime();
      if (left <= 0) return;
      await this.clock.advance(Math.min(left, ...this.clock.waits));
    }
  }

  /** When extensions were asked for, in milliseconds since the message came. */
  get beats(): number[] {
    return this.queue.asked.filter(({ verb }) => verb === "extend").map((asked) => asked.at - this.begunAt);
  }

  /** Until when the message is ours, as the queue has it. */
  get until(): number {
    const last = this.queue.asked.findLast(({ verb, answer }) => verb === "extend" && answer === "ok");
    return last ? last.at + (last.forMs ?? 0) : this.begunAt + this.queue.terms.visibilityMs;
  }

  get lostAfter(): number | null {
    const lost = this.events.findIndex(({ type }) => type === "lease lost");
    return lost === -1 ? null : existing(this.tree.told[0]).at - this.begunAt;
  }
}

const ACKNOWLEDGE: Verdict = { kind: "acknowledge" };
const RELEASE: Verdict = { kind: "release", delayMs: 5000 };
const BURY: Verdict = { kind: "bury", reason: "exit code 1" };
const VERDICTS = [ACKNOWLEDGE, RELEASE, BURY].map((verdict) => [verdict.kind, verdict] as const);

/** The same message, delivered for the second and last time. */
const AGAIN = { receipt: "receipt-2", receiveCount: 2, isLast: true };

describe("a lease", () => {
  test("is extended at its interval for as long as the job runs, each time by the whole", async () => {
    const held = new Held();
    await held.live(10 * 60_000);
    expect(held.beats).toEqual(Array.from({ length: 30 }, (_, index) => (index + 1) * 20_000));
    expect(held.queue.asked.every(({ forMs }) => forMs === 60_000)).toBe(true);
    expect([held.queue.broken, held.tree.told]).toEqual([[], []]);
  });

  test.each([0, 0.25, 0.5, 0.999_999])("is extended sooner by up to a fifth, by chance (%p)", async (draw) => {
    const held = new Held(TERMS, () => draw);
    await held.live(100_000);
    const interval = existing(held.beats[0]);
    const wanted = 20_000 * (1 - 0.2 * draw);
    expect(interval).toBeGreaterThanOrEqual(wanted);
    // Timers that fall together are one.
    expect(interval).toBeLessThanOrEqual(wanted + 5);
    expect(held.beats.length).toBe(Math.floor(100_000 / interval));
  });

  test("is counted from when the message came or the extension was asked for, not from the answer", async () => {
    const held = new Held();
    await held.clock.advance(20_000);
    await held.clock.advance(9000);
    await held.answer("ok");
    await held.live(20_000);
    expect(held.beats).toEqual([20_000, 40_000]);
  });

  test("is asked for again a second after a failure, one request at a time", async () => {
    const held = new Held();
    await held.live(24_000, "transient");
    expect(held.beats).toEqual([20_000, 21_000, 22_000, 23_000, 24_000]);
    await held.live(30_000);
    expect(held.beats.slice(5)).toEqual([25_000, 45_000]);
    expect([held.queue.broken, held.tree.told]).toEqual([[], []]);
  });

  test("whose extensions all fail ends the job in time for its grace, before it is another's", async () => {
    const held = new Held();
    await held.live(60_000, "transient");
    expect(held.lostAfter).toBe(60_000 - GRACE_MS - RESERVE_MS);
    expect(held.tree.told.map(({ what }) => what)).toEqual(["stop", "kill"]);
    // What does not end in its grace.
    expect(existing(held.tree.toldAt("kill")) - held.begunAt).toBe(59_000);
    expect(held.active.cause).toBe("lease lost");
    expect(held.beats.at(-1)).toBeLessThan(48_000);
  });

  test("whose extensions never answer ends the job in time, too", async () => {
    const held = new Held();
    await held.clock.advance(20_000);
    expect(Math.min(...held.clock.waits)).toBe(1000);
    await held.clock.advance(100_000);
    expect(held.beats).toEqual([20_000, 31_000, 42_000]);
    expect(held.lostAfter).toBe(48_000);
    expect(held.queue.broken).toEqual([]);
  });

  test("that its queue says is lost kills the job at once, and nothing more is asked", async () => {
    const held = new Held();
    await held.clock.advance(20_000);
    await held.answer("lost");
    expect(held.tree.toldAt("kill")).toBe(held.clock.boottime());
    await held.settle({ kind: "leave" });
    await held.live(HOUR_MS);
    expect(held.beats).toEqual([20_000]);
    expect(held.told).toEqual({ kind: "told" });
  });

  test("that is lost is told once", async () => {
    const held = new Held();
    await held.live(40_000);
    held.clock.sleepOn(HOUR_MS);
    await held.clock.advance(5000);
    expect(held.events.filter(({ type }) => type === "lease lost")).toHaveLength(1);
  });

  test.each([
    ["idle", 5000],
    ["asking", 20_000],
  ])("that ran out while the machine slept (%s) kills the job on waking, and settles nothing", async (_, before) => {
    const held = new Held();
    await held.clock.advance(before);
    held.clock.sleepOn(60_000);
    await held.clock.advance(1000);
    expect(held.tree.toldAt("kill")).toBeLessThanOrEqual(held.begunAt + before + 61_000);
    const { length } = held.queue.asked;
    await held.settle(ACKNOWLEDGE);
    if (held.queue.underway) await held.answer("ok");
    expect(held.told).toEqual({ kind: "lost" });
    expect(held.queue.asked).toHaveLength(length);
  });

  test("that ran out while the machine slept settles nothing, also before anybody noticed", async () => {
    const held = new Held();
    held.clock.sleepOn(60_000);
    await held.settle(ACKNOWLEDGE);
    expect([held.told, held.queue.asked]).toEqual([{ kind: "lost" }, []]);
  });

  test("that has less left on waking than the job's grace kills what is left of it while it lasts", async () => {
    const held = new Held();
    await held.clock.advance(5000);
    held.clock.sleepOn(60_000 - 5000 - GRACE_MS);
    await held.clock.advance(GRACE_MS);
    expect(existing(held.tree.toldAt("stop")) - held.begunAt).toBeLessThan(60_000 - GRACE_MS + 1001);
    expect(existing(held.tree.toldAt("kill")) - held.begunAt).toBe(59_000);
  });

  test("after a short sleep of the machine is extended on waking", async () => {
    const held = new Held();
    await held.clock.advance(5000);
    held.clock.sleepOn(30_000);
    await held.clock.advance(1000);
    expect([held.beats, held.tree.told]).toEqual([[36_000], []]);
  });

  test("that was given up early, of a job that ended by itself, is still told of while it lasts", async () => {
    const held = new Held();
    await held.live(48_500, "transient");
    await held.settle(ACKNOWLEDGE);
    await held.answer("ok");
    expect(held.told).toEqual({ kind: "told" });
    expect(held.queue.broken).toEqual([]);
  });
});

async function suspended(): Promise<Held> {
  const held = new Held();
  await held.active.suspend();
  return held;
}

describe("the twelve hours", () => {
  test("that are nearly over put back what stands still", async () => {
    const held = await suspended();
    await held.live(11 * HOUR_MS);
    expect(held.active.cause).toBeNull();
    await held.clock.advance(20_000);
    await held.answer("ok", 50_000);
    expect(held.active.cause).toBe("stop");
  });

  test("leave what runs as it is, until there is just time to end it", async () => {
    const held = new Held();
    await held.clock.advance(20_000);
    await held.answer("ok", 40_000);
    expect(held.active.cause).toBeNull();
    await held.clock.advance(20_000);
    await held.answer("ok", 20_000);
    await held.clock.advance(7999);
    expect(held.tree.told).toEqual([]);
    await held.clock.advance(1);
    expect(held.lostAfter).toBe(48_000);
  });
});

describe("a message that comes again while it is run", () => {
  test("is settled and extended by its newest receipt from the next request on", async () => {
    const held = new Held();
    await held.live(20_000);
    held.lease.renew(AGAIN);
    await held.live(20_000);
    await held.settle(ACKNOWLEDGE);
    await held.answer("ok");
    expect(held.queue.asked.map(({ receipt }) => receipt)).toEqual(["receipt-1", "receipt-2", "receipt-2"]);
    expect(held.queue.broken).toEqual([]);
  });

  test("is not lost because an extension by the old one was under way", async () => {
    const held = new Held();
    await held.clock.advance(20_000);
    held.lease.renew(AGAIN);
    await held.answer("lost");
    expect(held.queue.underway).toMatchObject({ verb: "extend", receipt: "receipt-2" });
    await held.answer("ok");
    expect([held.queue.broken, held.tree.told]).toEqual([[], []]);
  });

  test("is settled by the new one, if settling by the old one was under way", async () => {
    const held = new Held();
    await held.settle(RELEASE);
    held.lease.renew(AGAIN);
    await held.answer("lost");
    expect(held.queue.underway).toMatchObject({ verb: "release", receipt: "receipt-2" });
    await held.answer("ok");
    expect(held.told).toEqual({ kind: "told" });
  });
});

/** After how many seconds there was a line. */
async function linesOf(kind: AnswerKind, terms: Terms): Promise<number[]> {
  const held = new Held(terms);
  const lines: number[] = [];
  for (let seconds = 0; seconds < 100; seconds += 1) {
    const { length } = held.events;
    await held.live(1000, kind);
    if (held.events.length > length) lines.push(seconds + 1);
  }
  return lines;
}

describe("what is told of a lease", () => {
  test("is a line every 15 s at most", async () => {
    expect(await linesOf("ok", { visibilityMs: 20_000, beatMs: 2000 })).toEqual([16, 32, 48, 64, 80, 96]);
  });

  test("is no more when extensions fail", async () => {
    expect(await linesOf("transient", { visibilityMs: 90_000, beatMs: 2000 })).toEqual([15, 30, 45, 60, 75, 78]);
  });
});

describe("telling", () => {
  test("waits for the extension that is under way", async () => {
    const held = new Held();
    await held.clock.advance(20_000);
    await held.settle(ACKNOWLEDGE);
    expect(held.queue.underway?.verb).toBe("extend");
    await held.answer("ok");
    expect(held.queue.underway?.verb).toBe("acknowledge");
    await held.answer("ok");
    expect(held.told).toEqual({ kind: "told" });
  });

  test.each(VERDICTS)("%s that fails for minutes keeps the lease by extensions between", async (_, verdict) => {
    const held = new Held();
    await held.settle(verdict);
    for (let round = 0; round < 600; round += 1) {
      if (held.queue.underway) await held.answer(held.queue.underway.verb === "extend" ? "ok" : "transient");
      await held.clock.advance(500);
      expect(held.until).toBeGreaterThan(held.clock.boottime() + 30_000);
    }
    expect(held.beats.length).toBeGreaterThan(13);
    while (held.told === null) await held.live(500);
    expect([held.told, held.queue.broken]).toEqual([{ kind: "told" }, []]);
    expect(held.clock.waits).toEqual([]);
  });

  test("that fails as long as the extensions do ends with the lease, and not before", async () => {
    const held = new Held();
    await held.settle(ACKNOWLEDGE);
    await held.live(59_000, "transient");
    expect(held.told).toBeNull();
    await held.live(1500, "transient");
    expect(held.told).toEqual({ kind: "lost" });
    const { length } = held.queue.asked;
    await held.live(HOUR_MS);
    expect(held.queue.asked).toHaveLength(length);
  });

  test("that is never answered is tried between extensions", async () => {
    const held = new Held({ visibilityMs: 60_000, beatMs: 5000 });
    await held.settle(ACKNOWLEDGE);
    for (let round = 0; round < 10; round += 1) {
      expect(held.queue.underway?.verb).toBe("acknowledge");
      await held.clock.advance(10_000);
      expect(held.queue.underway?.verb).toBe("extend");
      await held.answer("ok");
      await held.clock.advance(500);
    }
    expect([held.told, held.queue.broken]).toEqual([null, []]);
  });

  test("goes on when extensions succeed in the last moment: there is no tree to end in time", async () => {
    const held = new Held();
    await held.settle(ACKNOWLEDGE);
    await held.live(56_000, "transient");
    for (let round = 0; round < 60; round += 1) {
      if (held.queue.underway) await held.answer(held.queue.underway.verb === "extend" ? "ok" : "transient");
      await held.clock.advance(500);
    }
    expect([held.told, held.events.filter(({ type }) => type === "lease lost")]).toEqual([null, []]);
    await held.live(1000);
    expect(held.told).toEqual({ kind: "told" });
  });

  test("ends the extensions, whenever the lease is dropped", async () => {
    const held = new Held();
    void held.lease.settle(ACKNOWLEDGE);
    await held.answer("ok");
    await held.live(HOUR_MS);
    expect(held.queue.asked).toHaveLength(1);
  });

  test("of what cannot be done is not tried again, and something else can be told", async () => {
    const held = new Held();
    void held.lease.settle(BURY).then((told) => (held.told = told));
    await held.answer("refused");
    expect(held.told).toMatchObject({ kind: "failed", trouble: { kind: "refused" } });
    await held.settle(RELEASE);
    await held.answer("ok");
    expect(held.told).toEqual({ kind: "told" });
    expect(held.queue.asked.map(({ verb }) => verb)).toEqual(["bury", "release"]);
  });

  test("of what nobody can do anything with keeps it from everybody for a last time", async () => {
    const held = new Held();
    void held.lease.settle(BURY);
    await held.answer("refused");
    await held.clock.advance(20_000);
    const parked = held.lease.park(900_000).then(() => held.leases.drop(held.lease));
    await held.live(HOUR_MS);
    await parked;
    expect(held.queue.asked.map(({ verb, forMs }) => [verb, forMs])).toEqual([
      ["bury", null],
      ["extend", 60_000],
      ["extend", 900_000],
    ]);
    expect(held.queue.broken).toEqual([]);
  });

  test("of nothing asks for nothing, and is the end of the extensions", async () => {
    const held = new Held();
    await held.settle({ kind: "leave" });
    await held.live(HOUR_MS);
    expect([held.told, held.queue.asked]).toEqual([{ kind: "told" }, []]);
  });
});

type Move = AnswerKind | "verdict" | "time";

/** How it stands, so that it shows when something has happened. */
const standing = ({ queue, events, told }: Held): string =>
  JSON.stringify([queue.asked, events.length, told === undefined ? "none" : told]);

/** On to when something happens. */
async function untilSomething(held: Held): Promise<void> {
  const before = standing(held);
  for (let tick = 0; tick < 100 && standing(held) === before && held.clock.waits.length > 0; tick += 1) {
    await held.clock.advance(Math.min(...held.clock.waits));
  }
}

async function play(moves: readonly Move[], verdict: Verdict): Promise<Held> {
  const held = new Held({ visibilityMs: 30_000, beatMs: 10_000 });
  for (const move of moves) {
    if (move === "time") await untilSomething(held);
    else if (move === "verdict") await held.settle(verdict);
    else await held.answer(move);
  }
  return held;
}

function possible(held: Held): Move[] {
  if (held.told) return [];
  const answers: Move[] = held.queue.underway ? ["ok", "transient", "lost"] : [];
  return [...answers, "time", ...(held.told === undefined ? (["verdict"] as const) : [])];
}

/** From here on all goes well. */
async function finish(held: Held, verdict: Verdict): Promise<void> {
  if (held.told === undefined) await held.settle(verdict);
  for (let round = 0; round < 20 && !held.told; round += 1) await held.live(1000);
  await held.live(HOUR_MS);
}

function check(held: Held, verdict: Verdict): void {
  const { queue, told, tree } = held;
  expect(queue.broken).toEqual([]);
  const settled = queue.asked.filter(({ verb, answer }) => verb === verdict.kind && answer === "ok");
  expect(settled).toHaveLength(told?.kind === "told" ? 1 : 0);
  if (queue.asked.some(({ answer }) => answer === "lost")) expect(told).toEqual({ kind: "lost" });
  for (const { at: toldAt } of tree.told.slice(0, 1)) {
    const isSaidToBeLost = queue.asked.some(({ answer }) => answer === "lost");
    if (!isSaidToBeLost) expect(toldAt).toBeLessThanOrEqual(held.until - GRACE_MS - RESERVE_MS);
  }
  expect(held.clock.waits).toEqual([]);
}

describe("extensions, answers, time and a verdict, in every order", () => {
  test.each(VERDICTS)("never meet: %s", async (_, verdict) => {
    const ends = new Map<string, number>();
    let histories = 0;
    const explore = async (moves: readonly Move[], left: number): Promise<void> => {
      const held = await play(moves, verdict);
      const next = left === 0 ? [] : possible(held);
      for (const move of next) await explore([...moves, move], left - 1);
      if (next.length > 0) return;
      histories += 1;
      await finish(held, verdict);
      try {
        check(held, verdict);
      } catch (error) {
        throw new Error(`after ${moves.join(", ")}`, { cause: error });
      }
      const end = held.told?.kind ?? "none";
      ends.set(end, (ends.get(end) ?? 0) + 1);
    };
    await explore([], 8);
    expect(histories).toBeGreaterThan(500);
    expect([...ends.keys()].toSorted()).toEqual(["lost", "told"]);
  });
});
