import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DEFAULT_SERVICE_LIMITS } from "../../src/service/limits.ts";
import { Service } from "../../src/service/service.ts";
import { Waiters } from "../../src/service/waiters.ts";
import type { Store } from "../../src/store/store.ts";
import { eventually, within } from "../support/eventually.ts";
import { newJob, only, temporaryStore } from "../support/temporary.ts";

const LONG_MS = 60_000;
/** A waiter hears of a change by another process within this, in milliseconds. */
const PROMPT_MS = 100;
const never = new AbortController().signal;

const nothing = (): void => {};
const rethrow = (error: unknown): void => {
  throw error;
};

function waitersOf(store: Store, most = 5000): Waiters {
  return new Waiters({ store, clock: systemClock, most, onFault: rethrow });
}

/** Has another connection, as another process would have one, put a job into another phase. */
const hold = (store: Store, seq: number): Promise<unknown> =>
  store.write(() => store.steering.hold(seq, Date.now(), "a test"));

describe("requests that wait", () => {
  test("hear of a change that another process makes, promptly", async () => {
    using at = temporaryStore();
    const other = at.another();
    const waiters = waitersOf(at.store);
    const took: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const job = only(await at.submit(newJob()));
      const waiting = waiters.wait(job, LONG_MS, never);
      await hold(other, job.seq);
      const from = performance.now();
      await within("it is told", waiting);
      took.push(performance.now() - from);
    }
    // The machine may be busy with something else now and then.
    expect(Math.min(...took)).toBeLessThan(PROMPT_MS);
    expect(waiters.count).toBe(0);
  });

  test("are not told of changes of other jobs, and all of those that wait for one are told", async () => {
    using at = temporaryStore();
    const [one, other] = await at.submit(newJob(), newJob());
    const waiters = waitersOf(at.store);
    const all = Array.from({ length: 1000 }, () =>
      waiters.wait(only([one].flatMap((job) => job ?? [])), LONG_MS, never),
    );
    const stays = waiters.wait(only([other].flatMap((job) => job ?? [])), LONG_MS, never);
    await hold(at.store, one?.seq ?? 0);
    await within("all are told", Promise.all(all));
    expect(waiters.count).toBe(1);
    waiters.end();
    await stays;
  });

  test("cost no look at the store while nothing changes", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob()));
    let looks = 0;
    const jobs = { phases: (seqs: readonly number[]) => ((looks += 1), at.store.jobs.phases(seqs)) };
    const store = { jobs, watch: () => () => {} };
    const waiters = new Waiters({ store, clock: systemClock, most: 5000, onFault: nothing });
    const waiting = Array.from({ length: 1000 }, () => waiters.wait(job, 300, never));
    await Promise.all(waiting);
    // One for what may have changed before they waited.
    expect(looks).toBe(1);
  });

  test("give their place up when the client hangs up, the time is over, or the service ends", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob()));
    const waiters = waitersOf(at.store, 2);
    const client = new AbortController();
    const first = waiters.wait(job, LONG_MS, client.signal);
    const second = waiters.wait(job, 20, never);
    expect(waiters.isFull).toBe(true);
    client.abort();
    await within("the first ends", first);
    await within("the second ends", second);
    expect(waiters.count).toBe(0);
    const third = waiters.wait(job, LONG_MS, never);
    waiters.end();
    await within("the third ends", third);
    await within("nobody waits any more", waiters.wait(job, LONG_MS, never));
  });

  test("are told when the job is gone", async () => {
    using at = temporaryStore();
    const job = only(await at.submit(newJob()));
    const waiting = waitersOf(at.store).wait(job, LONG_MS, never);
    await at.store.write(() => at.store.forgetting.forget(job.seq, Date.now()));
    await within("it is told", waiting);
  });
});

test("a service with as many waiters as it can have asks the next to come again", async () => {
  using at = temporaryStore();
  const job = only(await at.submit(newJob()));
  const service = new Service({
    store: at.store,
    definitions: new Map(),
    clock: systemClock,
    newId: () => "id",
    limits: { ...DEFAULT_SERVICE_LIMITS, waiters: 1 },
    access: { users: new Map(), anonymous: false },
    hosts: new Set(),
    isProxy: () => false,
    isAlive: () => false,
    onGone: nothing,
    onFault: nothing,
  });
  const client = new AbortController();
  const ask = (signal: AbortSignal, wait: string) =>
    service.handle(
      new Request(`http://localhost/jobs/${job.id}?WAIT=${wait}`, { headers: { host: "localhost" }, signal }),
      {
        address: "127.0.0.1",
      },
    );
  const first = ask(client.signal, "60");
  const second = await eventually("the first has the place", async () => {
    const reply = await ask(never, "1");
    return reply.status === 503 ? reply : null;
  });
  expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await ask(never, "0")).status).toBe(200);
  client.abort();
  expect((await within("the first is answered", first)).status).toBe(200);
  expect((await ask(never, "1")).status).toBe(200);
});
