import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { eventually, stays, within } from "../support/eventually.ts";
import { cpuMilliseconds } from "../support/processor-time.ts";
import { forEachForm, scaled } from "./forms.ts";
import { idOf, placeWithDefinitions, Serving, valueOf } from "./serving.ts";

/** Milliseconds for which they are watched. */
const IDLE_MS = 2000;
/** Of a processor, with a thousand that wait. */
const MOST_IDLE_SHARE = 0.02;
/** From the recorded time of a change by another process to the first answer, on the best of some tries. */
const WAKE_MS = 100;
const TRIES = 5;

/** A request by a connection of its own: what fetch has at once is limited. */
class Waiting {
  readonly #socket: Socket;
  #got = "";
  /** When the last of the answer came, in milliseconds since 1970. */
  readonly answered: Promise<number>;

  constructor(job: string, seconds: number) {
    const { hostname, port, pathname } = new URL(job);
    const socket = connect(Number(port), hostname);
    this.#socket = socket;
    this.answered = new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("data", (chunk) => {
        this.#got += String(chunk);
        if (this.#got.includes("</uws:job>")) resolve(Date.now());
      });
      socket.on("close", () => reject(new Error(`hung up on after: ${this.#got}`)));
    });
    // Who looks at it comes later.
    this.answered.catch(() => {});
    socket.write(`GET ${pathname}?WAIT=${seconds} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  get text(): string {
    return this.#got;
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}

forEachForm("many who wait", (form) => {
  test("cost nothing while nothing happens, and are all woken by a change of another process", async () => {
    await using place = placeWithDefinitions(form);
    const at = await Serving.start(place);
    const { pid } = at.running;
    const job = await at.make("sleep");
    const waiters = Array.from({ length: scaled(form, 1000, 200) }, () => new Waiting(job, 60));
    await eventually("all have been let in", () => readdirSync(`/proc/${pid}/fd`).length > waiters.length);
    const share = await quietShare(pid);
    expect(share).toBeLessThan(MOST_IDLE_SHARE);
    expect(waiters.filter(({ text }) => text !== "")).toEqual([]);
    await place.ok("hold", idOf(job));
    await within("all are answered", Promise.all(waiters.map(({ answered }) => answered)));
    expect(waiters.map(({ text }) => valueOf(text, "phase"))).toEqual(waiters.map(() => "HELD"));
    for (const waiter of waiters) waiter.hangUp();
    // They have left: nothing of them is kept, and others can wait.
    const after = await at.make("sleep");
    const reply = at.get(`${after}?WAIT=30`);
    await place.ok("hold", idOf(after));
    expect(valueOf((await reply).text, "phase")).toBe("HELD");
  });

  test("are woken within a tenth of a second", async () => {
    await using place = placeWithDefinitions(form);
    const at = await Serving.start(place);
    const delays: number[] = [];
    for (let count = 0; count < TRIES; count += 1) {
      const job = await at.make("sleep");
      const waiting = new Waiting(job, 60);
      await place.ok("abort", idOf(job));
      const answered = await within("it is answered", waiting.answered);
      delays.push(answered - Date.parse(valueOf(waiting.text, "endTime") ?? ""));
      waiting.hangUp();
    }
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.min(...delays)).toBeLessThan(WAKE_MS);
  });
});

/** What of a processor a process takes when it has settled. */
async function quietShare(pid: number): Promise<number> {
  return eventually("it is quiet", async () => {
    const before = cpuMilliseconds(pid);
    await stays("nothing is done meanwhile", () => true, IDLE_MS);
    const share = (cpuMilliseconds(pid) - before) / IDLE_MS;
    // Above that they are still being taken in, or it never will be quiet.
    return share < MOST_IDLE_SHARE ? share + Number.EPSILON : null;
  });
}
