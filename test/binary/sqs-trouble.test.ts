import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";
import { eventually, stays, within } from "../support/eventually.ts";
import { sqsError, type Fate, type HttpAnswer } from "../support/fault-proxy.ts";
import { isLiving } from "../support/processes.ts";
import { SqsServer } from "../support/sqs-server.ts";
import { forEachForm } from "./forms.ts";
import type { Done, Place } from "./place.ts";
import { SqsPlace, testCompiled } from "./sqs-place.ts";

let server: SqsServer;
beforeAll(async () => void (server = await SqsServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

const answer = (body: string, breaks?: HttpAnswer["breaks"]): HttpAnswer => ({
  status: 200,
  headers: { "content-type": "application/x-amz-json-1.0" },
  body,
  ...(breaks && { breaks }),
});

/** What may befall any request, and passes. */
const PASSING: readonly Fate[] = [
  sqsError("RequestThrottled", "slower", { status: 400, olderName: "Throttling" }),
  sqsError("InternalError", "it is us", { status: 500 }),
  { status: 503, body: "<html>busy</html>" },
  { status: 502, body: "" },
  answer("hello"),
  answer('{"Messages":"none"}'),
  answer("[]"),
  "close",
  "reset",
  answer("x".repeat(1000), "cut"),
  answer("x".repeat(1000), "reset"),
];

/** What loses a message for as long as its visibility lasts, since nobody knows that it was delivered. */
const LOSING: readonly Fate[] = ["swallow", "cut"];

const settings = (url: string, more = ""): string =>
  `[worker]\nconnect_timeout = "2s"\nstop_budget = "8s"\n[queues.main]\nurl = "${url}"\nwait = "1s"\n${more}`;
const job = '[jobs.note]\ncommand = ["sh", "-c", "echo {body.n} >> ran"]\ngrace = "100ms"\n';

/** So many messages; gives what each run of one adds to `ran`. */
async function sendAll(place: SqsPlace, queue: string, count: number): Promise<string[]> {
  const numbers = Array.from({ length: count }, (_, index) => String(index));
  for (const n of numbers) await place.send(queue, "note", JSON.stringify({ n }));
  return numbers;
}

const inOrder = (lines: readonly string[]): string[] => lines.toSorted((a, b) => Number(a) - Number(b));

/** The worker ends with the exit code of what is out of reach, as soon as that can be. */
async function givesUp(place: Place, url: string, environment: Record<string, string> = {}): Promise<Done> {
  place.write("reeve.toml", settings(url) + job);
  const begun = performance.now();
  const done = await place.run(["work"], { environment });
  expect(performance.now() - begun).toBeLessThan(20_000);
  expect({ code: done.code, stdout: done.stdout }).toEqual({ code: 69, stdout: "" });
  expect(done.stderr).toMatch(/^reeve: the queue .* is out of reach/m);
  return done;
}

forEachForm("a worker whose SQS queue", (form) => {
  test.concurrent(
    "fails in every way there is backs off, stays, and does all its work once when that is over",
    async () => {
      await using place = await SqsPlace.open(form, server);
      const [queue, dead] = await server.createPair({}, 5);
      place.write("reeve.toml", settings(place.urlOf(queue), 'visibility = "5s"\nbeat = "1s"\n') + job);
      const worker = await place.worker(["--concurrency", "4"]);
      await eventually("it polls", () => place.proxy.count("ReceiveMessage") > 0);
      const fates = [...PASSING, ...LOSING];
      const asked = new Map<string, number>();
      // Each second request of a kind: what fails in a row is waited for ever longer.
      place.proxy.decide = ({ action }) => {
        const number = (asked.get(action) ?? 0) + 1;
        asked.set(action, number);
        return (number % 2 === 0 ? fates.shift() : undefined) ?? "pass";
      };
      const numbers: string[] = [];
      for (let left = fates.length; left > 0; left = fates.length) {
        numbers.push(String(numbers.length));
        await place.send(queue, "note", JSON.stringify({ n: numbers.at(-1) }));
        await eventually("some of it has happened", () => fates.length < left);
      }
      await place.emptied(queue, 60_000);
      expect(inOrder(place.lines("ran"))).toEqual(numbers);
      expect([fates.length, await server.size(dead), isLiving(worker.pid)]).toEqual([0, 0, true]);
      const lines = worker.log().filter(({ event }) => event === "queue trouble" || event === "queue healed");
      expect(lines.map(({ event }) => event).slice(0, 2)).toEqual(["queue trouble", "queue healed"]);
      // One for each time that it falls ill, not one for each request.
      expect(lines.length).toBeLessThan(20);
    },
  );

  test.concurrent("goes away and comes back is waited for, and what runs meanwhile is done and told", async () => {
    await using place = await SqsPlace.open(form, server);
    const [queue] = await server.createPair({}, 5);
    place.write(
      "reeve.toml",
      settings(place.urlOf(queue)) +
        job.replace("echo", "echo begun >> begun; while [ ! -e go ]; do sleep 0.02; done; echo"),
    );
    const [n = ""] = await sendAll(place, queue, 1);
    const worker = await place.worker(["--concurrency", "2"]);
    await place.file("begun");
    place.proxy.decide = () => "reset";
    await worker.says('"queue trouble"');
    const before = place.proxy.seen.length;
    place.write("go", "");
    // For longer than it would have had to find the queue at its start.
    await stays("it is there", () => isLiving(worker.pid), 3000);
    expect(place.lines("ran")).toEqual([n]);
    // It does not spin.
    expect(place.proxy.seen.length - before).toBeLessThan(60);
    place.proxy.forget();
    await place.emptied(queue);
    // The pause that it was in can be one of half a minute.
    await eventually("it healed", () => worker.log().some(({ event }) => event === "queue healed"), 45_000);
    expect(place.lines("ran")).toEqual([n]);
  });

  testCompiled(form)("never answers a poll gives it up in time, goes on, and ends when it is told to", async () => {
    await using place = await SqsPlace.open(form, server);
    const [queue] = await server.createPair({}, 5);
    place.write("reeve.toml", settings(place.urlOf(queue), 'visibility = "5s"\nbeat = "1s"\n') + job);
    const worker = await place.worker(["--concurrency", "2"]);
    await eventually("it polls", () => place.proxy.count("ReceiveMessage") > 0);
    place.proxy.script("ReceiveMessage", "hang");
    const numbers = await sendAll(place, queue, 2);
    await place.emptied(queue, 40_000);
    expect(inOrder(place.lines("ran"))).toEqual(numbers);
    place.proxy.decide = ({ action }) => (action === "ReceiveMessage" ? "hang" : "pass");
    const polls = place.proxy.count("ReceiveMessage");
    await eventually("it polls again", () => place.proxy.count("ReceiveMessage") > polls);
    worker.signal("SIGTERM");
    expect(await within("it ends", worker.ended)).toMatchObject({ signal: "SIGTERM" });
  });

  test.concurrent("was never there, or may not be used, says so with what was tried, and ends", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await server.createQueue();
    const url = place.urlOf(queue);
    const missing = await givesUp(place, place.urlOf("nowhere"));
    expect(missing.stderr).toMatch(/nowhere.*QueueDoesNotExist|are the queue's URL and region right/);

    place.proxy.decide = ({ action }) =>
      action === "ReceiveMessage" ? sqsError("AccessDenied", "not for you", { status: 403 }) : "pass";
    const denied = await givesUp(place, url);
    expect(denied.stderr).toContain("the policy has to allow sqs:ReceiveMessage");

    place.proxy.decide = () => "reset";
    const broken = await givesUp(place, url);
    expect(broken.stderr).toContain("within 2 s no poll of it succeeded");
    await using down = createServer();
    await new Promise<void>((resolve) => down.listen(0, "127.0.0.1", resolve));
    // A server that listens on TCP has an address that is no string.
    const { port } = down.address() as AddressInfo;
    await down[Symbol.asyncDispose]();
    const refused = await givesUp(place, `http://127.0.0.1:${port}/000000000000/jobs`);
    expect(refused.stderr).toMatch(/ECONNREFUSED|refused|Unable to connect/i);
  });

  // It waits for the time that one request has.
  testCompiled(form)("never answers at all is given up after the first request", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await server.createQueue();
    place.proxy.decide = () => "hang";
    const silent = await givesUp(place, place.urlOf(queue));
    expect(silent.stderr).toContain("within 2 s no poll of it succeeded");
  });

  test.concurrent("wants credentials or a region that are not there says so, and the worker ends", async () => {
    await using place = await SqsPlace.open(form, server);
    const queue = await server.createQueue();
    const none = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_EC2_METADATA_DISABLED: "true" };
    const nobody = await givesUp(place, place.urlOf(queue), none);
    expect(nobody.stderr).toContain("AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret");
    const lost = await givesUp(place, place.urlOf(queue), { AWS_REGION: "eu west/1" });
    expect(lost.stderr).toMatch(/region/i);
  });
});
