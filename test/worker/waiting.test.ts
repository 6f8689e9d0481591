import { describe, expect, test } from "bun:test";
import type { WorkerEvent } from "../../src/events.ts";
import type { Ending } from "../../src/store/job.ts";
import { Pauses } from "../../src/worker/pauses.ts";
import { Stop } from "../../src/worker/stop.ts";
import { Wake } from "../../src/worker/wake.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";

/** Whether a promise has been kept by now, without waiting for it. */
async function isKept(promise: Promise<unknown>): Promise<boolean> {
  let kept = false;
  void promise.then(() => (kept = true));
  await takeTurns();
  return kept;
}

describe("a sleep of the worker", () => {
  test("ends when it is called, and says so", async () => {
    const wake = new Wake(new FakeClock());
    const sleeping = wake.sleep(60_000);
    expect(await isKept(sleeping)).toBe(false);
    wake.call();
    expect(await sleeping).toBe(true);
  });

  test("ends at its time, not before, and says that nobody called", async () => {
    const clock = new FakeClock();
    const wake = new Wake(clock);
    const sleeping = wake.sleep(1000);
    await clock.advance(999);
    expect(await isKept(sleeping)).toBe(false);
    await clock.advance(1);
    expect(await sleeping).toBe(false);
  });

  test("does not begin when it was called before", async () => {
    const wake = new Wake(new FakeClock());
    wake.call();
    wake.call();
    expect(await wake.sleep(60_000)).toBe(true);
    expect(await isKept(wake.sleep(60_000))).toBe(false);
  });

  test("without an end waits for a call alone, and sets no timer", async () => {
    const clock = new FakeClock();
    const wake = new Wake(clock);
    const sleeping = wake.sleep(Number.POSITIVE_INFINITY);
    expect(clock.waits).toEqual([]);
    await clock.advance(10 ** 12);
    expect(await isKept(sleeping)).toBe(false);
    wake.call();
    expect(await sleeping).toBe(true);
  });

  test("that was cut short leaves no timer behind that would end the next", async () => {
    const clock = new FakeClock();
    const wake = new Wake(clock);
    const first = wake.sleep(1000);
    wake.call();
    await first;
    expect(clock.waits).toEqual([]);
    const second = wake.sleep(5000);
    await clock.advance(4999);
    expect(await isKept(second)).toBe(false);
    await clock.advance(1);
    expect(await second).toBe(false);
  });
});

/** A stop, and how often the worker was woken for it. */
function stopping(budgetMs = 25_000) {
  const clock = new FakeClock();
  const woken = { times: 0 };
  const stop = new Stop(clock, budgetMs, () => (woken.times += 1));
  return { clock, woken, stop };
}

describe("a stop", () => {
  test("that nobody asked for leaves all the time there is", () => {
    const { stop } = stopping();
    expect(stop).toMatchObject({ isAsked: false, isClosing: false, isOverdue: false, faulted: null });
    expect(stop.graceLeftMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("is the first, is the same within two seconds, and means now later", async () => {
    const { clock, stop } = stopping();
    expect(stop.ask()).toBe("first");
    expect(stop.ask()).toBe("same");
    await clock.advance(1999);
    expect(stop.ask()).toBe("same");
    await clock.advance(1);
    expect(stop.ask()).toBe("now");
    await clock.advance(500);
    expect(stop.ask()).toBe("now");
  });

  test("that means now leaves no grace, and two seconds for what others left", async () => {
    const { clock, woken, stop } = stopping();
    stop.ask();
    await clock.advance(3000);
    stop.ask();
    expect(stop).toMatchObject({ graceLeftMs: 0, isShort: true, isPressing: false, isOverdue: false });
    await clock.advance(1000);
    stop.ask();
    await clock.advance(995);
    expect(stop.isPressing).toBe(false);
    await clock.advance(10);
    expect(stop).toMatchObject({ isPressing: true, isOverdue: false });
    expect(woken.times).toBe(4);
  });

  test("wakes the worker when it is asked for, and when its budget is used up", async () => {
    const { clock, woken, stop } = stopping(10_000);
    stop.ask();
    expect(woken.times).toBe(1);
    await clock.advance(9999);
    expect(stop.isOverdue).toBe(false);
    const before = woken.times;
    await clock.advance(1);
    expect(stop.isOverdue).toBe(true);
    await clock.advance(500);
    expect(woken.times).toBeGreaterThan(before);
  });

  test("keeps two seconds of its budget to kill and record", async () => {
    const { clock, stop } = stopping(10_000);
    stop.ask();
    expect(stop.graceLeftMs).toBe(8000);
    await clock.advance(5000);
    expect(stop.graceLeftMs).toBe(3000);
    await clock.advance(60_000);
    expect(stop.graceLeftMs).toBe(0);
  });

  test("with a budget below that leaves no grace, not a negative one", () => {
    const { stop } = stopping(500);
    stop.ask();
    expect(stop.graceLeftMs).toBe(0);
  });

  test("that only lets things finish takes nothing more, and has no end of its own", async () => {
    const { clock, woken, stop } = stopping();
    stop.finish();
    expect(stop).toMatchObject({ isAsked: false, isClosing: true, isOverdue: false });
    expect(woken.times).toBe(1);
    await clock.advance(10 ** 9);
    expect(stop.isOverdue).toBe(false);
    expect(stop.ask()).toBe("first");
  });

  test("by a fault keeps the first of several, be it what it may", () => {
    const { stop, woken } = stopping();
    stop.fault(undefined);
    stop.fault(new Error("second"));
    expect(stop.faulted).toEqual({ of: undefined });
    expect(stop.isClosing).toBe(true);
    expect(woken.times).toBe(2);
  });
});

describe("whether a stop comes within a moment", () => {
  test("is known at once when one was asked for", async () => {
    const { stop, clock } = stopping();
    stop.ask();
    const { waits } = clock;
    expect(await stop.within(1000)).toBe(true);
    expect(clock.waits).toEqual(waits);
  });

  test("is known when one is asked for", async () => {
    const { stop, clock } = stopping();
    const within = stop.within(1000);
    await clock.advance(999);
    expect(await isKept(within)).toBe(false);
    stop.ask();
    const { waits } = clock;
    expect(await within).toBe(true);
    await takeTurns();
    expect(clock.waits).toEqual(waits.filter((wait) => wait !== 1));
  });

  test("is known when the moment is over", async () => {
    const { stop, clock } = stopping();
    const [one, other] = [stop.within(1000), stop.within(2000)];
    await clock.advance(1000);
    expect(await one).toBe(false);
    stop.ask();
    expect(await other).toBe(true);
  });
});

const MISSING: Ending = { kind: "spawn failed", errno: "ENOENT", message: "no such program" };
const NO_MEMORY: Ending = { kind: "spawn failed", errno: "ENOMEM", message: "no memory" };

function pausing() {
  const clock = new FakeClock();
  const events: WorkerEvent[] = [];
  const woken = { times: 0 };
  const pauses = new Pauses({ clock, emit: (event) => events.push(event) }, () => (woken.times += 1));
  const spans = (): number[] => events.flatMap((event) => ("forMs" in event ? [event.forMs] : []));
  return { clock, events, woken, pauses, spans };
}

describe("a definition whose program is missing", () => {
  test("is not taken for a second, then again, and the worker is woken for it", async () => {
    const { clock, events, woken, pauses } = pausing();
    pauses.pause("resize", MISSING);
    expect(pauses.definitions).toEqual(["resize"]);
    expect(events).toMatchObject([{ type: "definition paused", definition: "resize", forMs: 1000 }]);
    await clock.advance(999);
    expect([pauses.definitions, woken.times]).toEqual([["resize"], 0]);
    await clock.advance(1);
    expect([pauses.definitions, woken.times]).toEqual([[], 1]);
  });

  test("is not taken for longer each time, up to a minute", async () => {
    const { clock, pauses, spans } = pausing();
    for (let round = 0; round < 9; round += 1) {
      pauses.pause("resize", MISSING);
      await clock.advance(60_000);
    }
    expect(spans()).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("is paused once, though several of its jobs fail at once", () => {
    const { events, pauses } = pausing();
    pauses.pause("resize", MISSING);
    pauses.pause("resize", MISSING);
    expect(events).toHaveLength(1);
    expect(pauses.definitions).toEqual(["resize"]);
  });

  test("begins anew after a start that succeeded, and only that one", async () => {
    const { clock, pauses, spans } = pausing();
    for (const definition of ["resize", "rotate"]) pauses.pause(definition, MISSING);
    await clock.advance(60_000);
    pauses.worked("resize");
    for (const definition of ["resize", "rotate"]) pauses.pause(definition, MISSING);
    expect(spans()).toEqual([1000, 1000, 1000, 2000]);
  });

  test("does not keep others from being taken", () => {
    const { pauses } = pausing();
    pauses.pause("resize", MISSING);
    expect(pauses.takesNothing).toBe(false);
  });
});

describe("a worker without resources", () => {
  test("takes nothing for a second, then again, and is woken for it", async () => {
    const { clock, events, woken, pauses } = pausing();
    pauses.takeNothing(NO_MEMORY);
    pauses.takeNothing(NO_MEMORY);
    expect(pauses.takesNothing).toBe(true);
    expect(events).toMatchObject([{ type: "taking nothing", forMs: 1000, why: expect.stringContaining("no memory") }]);
    await clock.advance(1000);
    expect([pauses.takesNothing, woken.times]).toEqual([false, 1]);
  });

  test("takes nothing for longer each time, until something was started", async () => {
    const { clock, pauses, spans } = pausing();
    for (let round = 0; round < 3; round += 1) {
      pauses.takeNothing(NO_MEMORY);
      await clock.advance(60_000);
    }
    pauses.worked(null);
    pauses.takeNothing(NO_MEMORY);
    expect(spans()).toEqual([1000, 2000, 4000, 1000]);
  });
});
