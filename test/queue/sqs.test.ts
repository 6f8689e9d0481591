import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { endpointFor, parseQueueArn, parseQueueUrl } from "../../src/queue/sqs/address.ts";
import { Backoff, CALL_BACKOFF, POLL_BACKOFF } from "../../src/queue/backoff.ts";
import { Batcher } from "../../src/queue/sqs/batch.ts";
import { connect } from "../../src/queue/sqs/connection.ts";
import { readRedrivePolicy } from "../../src/queue/sqs/facts.ts";
import { persist } from "../../src/queue/sqs/persist.ts";
import { batchesOf } from "../../src/queue/sqs/sending.ts";
import { runtime } from "../../src/runtime/index.ts";
import { sentenceOf } from "../support/errors.ts";
import { FakeClock, takeTurns } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("a queue's URL", () => {
  test.each([
    ["https://sqs.eu-west-1.amazonaws.com/123456789012/jobs", "eu-west-1", null],
    ["https://sqs.cn-north-1.amazonaws.com.cn/123456789012/jobs", "cn-north-1", null],
    ["https://sqs.us-gov-west-1.amazonaws.com/123456789012/jobs", "us-gov-west-1", null],
    ["https://eu-west-1.queue.amazonaws.com/1/jobs", "eu-west-1", "https://eu-west-1.queue.amazonaws.com"],
    ["https://queue.amazonaws.com/1/jobs", "us-east-1", "https://queue.amazonaws.com"],
    ["https://sqs-fips.us-east-1.amazonaws.com/1/jobs", "us-east-1", "https://sqs-fips.us-east-1.amazonaws.com"],
    ["https://sqs.eu-west-1.api.aws/1/jobs", "eu-west-1", "https://sqs.eu-west-1.api.aws"],
    [
      "https://vpce-0a1-b.sqs.eu-central-1.vpce.amazonaws.com/1/jobs",
      "eu-central-1",
      "https://vpce-0a1-b.sqs.eu-central-1.vpce.amazonaws.com",
    ],
    [
      "http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/jobs",
      "eu-west-1",
      "http://sqs.eu-west-1.localhost.localstack.cloud:4566",
    ],
    ["http://localhost:4566/queue/eu-west-1/000000000000/jobs", "eu-west-1", "http://localhost:4566"],
    ["http://localhost:9324/000000000000/jobs/", null, "http://localhost:9324"],
    ["http://[::1]:9324/jobs", null, "http://[::1]:9324"],
  ])("%s", (url, region, endpoint) => {
    expect(parseQueueUrl(url)).toEqual({ url, name: "jobs", region, endpoint, isFifo: false });
  });

  test("FIFO is in its name", () => {
    expect(parseQueueUrl("https://sqs.eu-west-1.amazonaws.com/1/jobs.fifo")).toMatchObject({
      name: "jobs.fifo",
      isFifo: true,
    });
  });

  test.each([
    "",
    "jobs",
    "arn:aws:sqs:eu-west-1:1:jobs",
    "sqs://queue/jobs",
    "https://sqs.eu-west-1.amazonaws.com/",
    "http://",
  ])("is not %p", async (text) => {
    expect(await sentenceOf(() => parseQueueUrl(text))).toMatchObject({
      exitCode: 78,
      hint: expect.stringMatching(/https:/),
    });
  });

  test("with a password in it is refused, and the password is not told", async () => {
    const { message } = await sentenceOf(() => parseQueueUrl("https://me:secret@sqs.eu-west-1.amazonaws.com/1/jobs"));
    expect(message).toContain("sqs.eu-west-1.amazonaws.com/1/jobs");
    expect(message).not.toContain("secret");
  });
});

test("an endpoint that is no address is refused by the name of its setting", async () => {
  const address = parseQueueUrl("http://localhost:9324/jobs");
  const named = await sentenceOf(() => endpointFor(address, null, { AWS_ENDPOINT_URL: "localhost:4566" }));
  expect(named.message).toBe('AWS_ENDPOINT_URL is "localhost:4566"');
  expect((await sentenceOf(() => endpointFor(address, "x", {}))).message).toBe('the endpoint is "x"');
  expect(endpointFor(address, null, { AWS_ENDPOINT_URL: "" })).toBe("http://localhost:9324");
});

test("a bundle of certificates that is none is refused by its name", async () => {
  using directory = temporaryDirectory();
  for (const AWS_CA_BUNDLE of [directory.of("nowhere"), directory.write("bundle", "no certificate")]) {
    const settings = { url: "http://localhost:9324/jobs", environment: { AWS_CA_BUNDLE } };
    const ports = { runtime, clock: systemClock, random: Math.random, warn: console.error };
    const { exitCode, message } = await sentenceOf(() => connect(settings, ports));
    expect([exitCode, message.startsWith(`AWS_CA_BUNDLE=${AWS_CA_BUNDLE}: `)]).toEqual([78, true]);
  }
});

test("an ARN tells account and name of a queue, and of nothing else", () => {
  expect(parseQueueArn("arn:aws-cn:sqs:cn-north-1:123456789012:a_b-1.fifo")).toEqual({
    account: "123456789012",
    name: "a_b-1.fifo",
  });
  for (const arn of [
    "",
    "arn:aws:sns:r:1:a",
    "arn:aws:sqs:r:1:a/../b",
    "arn:aws:sqs:r:x:a",
    "arn:aws:sqs:r:1:a:b",
    "arn:aws:sqs:r:1:",
  ]) {
    expect(parseQueueArn(arn)).toBeNull();
  }
});

describe("a redrive policy", () => {
  const arn = "arn:aws:sqs:eu-west-1:1:dead";
  test.each([3, "3"])("counts to %p", (maxReceiveCount) => {
    const text = JSON.stringify({ maxReceiveCount, deadLetterTargetArn: arn });
    expect(readRedrivePolicy(text)).toEqual({ kind: "set", maxReceiveCount: 3, deadLetterArn: arn });
  });

  test("may not be there", () => {
    for (const text of [undefined, ""]) expect(readRedrivePolicy(text)).toEqual({ kind: "none" });
  });

  test.each([
    "no",
    "3",
    "[]",
    "null",
    "{}",
    '{"maxReceiveCount":0}',
    '{"maxReceiveCount":"many"}',
    '{"maxReceiveCount":2}',
  ])("is malformed: %s", (text) => {
    expect(readRedrivePolicy(text)).toEqual({ kind: "malformed", why: expect.stringMatching(/redrive policy/) });
  });
});

describe("a backoff", () => {
  test.each([
    ["polls", POLL_BACKOFF],
    ["calls", CALL_BACKOFF],
  ])("between %s doubles up to its cap, spreads over all of it, and never spins", (_, limits) => {
    const longest = new Backoff(limits, () => 1 - Number.EPSILON);
    const shortest = new Backoff(limits, () => 0);
    const pauses = Array.from({ length: 2000 }, () => [longest.failed(), shortest.failed()] as const);
    for (const [index, [long, short]] of pauses.entries()) {
      expect(long).toBeCloseTo(Math.min(limits.capMs, limits.baseMs * 2 ** index), 3);
      expect(short).toBe(limits.floorMs);
    }
    longest.succeeded();
    expect(longest.failed()).toBeCloseTo(limits.baseMs, 3);
  });
});

describe("a call that persists", () => {
  type Answer = { kind: "ok" | "transient" | "fatal" };

  test("asks again only for what may pass, and ends early enough for its last try", async () => {
    const clock = new FakeClock(0);
    const asked: { at: number; items: readonly string[]; leftMs: number }[] = [];
    const done = persist<string, Answer>(
      ["a", "b", "c"],
      1000,
      { clock, random: () => 0.999 },
      async (items, leftMs) => {
        asked.push({ at: clock.now(), items, leftMs });
        return items.map((item) => ({ kind: item === "a" ? "ok" : item === "b" ? "fatal" : "transient" }));
      },
    );
    await takeTurns();
    await clock.advance(5000);
    expect(await done).toEqual([{ kind: "ok" }, { kind: "fatal" }, { kind: "transient" }]);
    expect(asked.map(({ items }) => items.join(""))).toEqual(["abc", "c", "c"]);
    expect(asked.every(({ at, leftMs }) => leftMs === 1000 - at && leftMs >= 250)).toBe(true);
    expect(clock.waits).toEqual([]);
  });

  test("does not ask again on a connection that was closed", async () => {
    const clock = new FakeClock(0);
    const closed = { kind: "transient", name: "Closed" };
    expect(await persist(["a"], 1000, { clock, random: () => 0.999 }, async () => [closed])).toEqual([closed]);
  });
});

describe("a batcher", () => {
  test("sends ten at once, fewer after a while, and nothing when there is nothing", async () => {
    const clock = new FakeClock(0);
    const sent: { at: number; size: number }[] = [];
    const batcher = new Batcher<number, number>(
      async (items) => {
        sent.push({ at: clock.now(), size: items.length });
        return items.map((item) => item * 2);
      },
      20,
      clock,
    );
    const first = Array.from({ length: 13 }, (_, index) => batcher.add(index));
    await clock.advance(19);
    expect(sent).toEqual([{ at: 0, size: 10 }]);
    await clock.advance(1);
    expect(await Promise.all(first)).toEqual(Array.from({ length: 13 }, (_, index) => index * 2));
    await batcher.drain();
    expect(sent).toEqual([
      { at: 0, size: 10 },
      { at: 20, size: 3 },
    ]);
    expect(clock.waits).toEqual([]);
  });

  test("in a hurry sends what waits, and waits no more until the hurry is over", async () => {
    const clock = new FakeClock(0);
    const sent: { at: number; size: number }[] = [];
    const batcher = new Batcher<number, number>(
      async (items) => {
        sent.push({ at: clock.now(), size: items.length });
        return [...items];
      },
      1000,
      clock,
    );
    void batcher.add(1);
    await clock.advance(10);
    batcher.hurry(true);
    expect(sent).toEqual([{ at: 10, size: 1 }]);
    void batcher.add(2);
    void batcher.add(3);
    await clock.advance(0);
    expect(sent[1]).toEqual({ at: 10, size: 2 });
    batcher.hurry(false);
    void batcher.add(4);
    await clock.advance(999);
    expect(sent.length).toBe(2);
    await clock.advance(1);
    expect(sent[2]).toEqual({ at: 1010, size: 1 });
    expect(clock.waits).toEqual([]);
  });

  test("a batch that throws fails for each of its items, and not for the next", async () => {
    const clock = new FakeClock(0);
    let batches = 0;
    const batcher = new Batcher<number, number>(
      async (items) => {
        batches += 1;
        if (batches === 1) throw new Error("broken");
        return batches === 2 ? [] : [...items];
      },
      20,
      clock,
    );
    for (const expected of [
      ["broken", "broken"],
      ["fewer", "fewer"],
      [1, 2],
    ]) {
      const outcomes = [batcher.add(1), batcher.add(2)].map((one) => one.catch((error: Error) => error.message));
      await batcher.drain();
      for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
        const wanted = expected[index] ?? "";
        if (typeof wanted === "number") expect(outcome).toBe(wanted);
        else expect(String(outcome)).toContain(wanted);
      }
    }
  });
});

test("batches hold what fits, in order, and what fits nowhere goes alone", () => {
  const sizes = [600_000, 400_000, 100_000, 2_000_000, ...Array<number>(11).fill(1)];
  const batches = batchesOf(sizes.map((size) => ({ body: "x".repeat(size) })));
  expect(batches.map((batch) => batch.map(({ body }) => body.length))).toEqual([
    [600_000, 400_000],
    [100_000],
    [2_000_000],
    Array<number>(10).fill(1),
    [1],
  ]);
  const text = "n".repeat(600_000);
  const attributes = new Map([["a", { dataType: "String", text }]]);
  expect(
    batchesOf([
      { body: "a", attributes },
      { body: "b", attributes },
    ]),
  ).toHaveLength(2);
  expect(batchesOf([])).toEqual([]);
});
