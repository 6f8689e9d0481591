import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../../src/config/queue-definition.ts";
import { Router } from "../../src/config/routing.ts";
import { SqsIntake } from "../../src/queue/sqs-intake.ts";
import { QueuePolicy } from "../../src/queue/sqs-policy.ts";
import type { Attribute, ReceivedMessage } from "../../src/queue/sqs/message.ts";
import { Planner } from "../../src/worker/plan.ts";
import { definition, parameter } from "../config/helpers.ts";
import { Random } from "../simulation/random.ts";
import { connectFor } from "../support/sqs-server.ts";
import { bytesOf, existing, newId, temporaryStore } from "../support/temporary.ts";

const BATCH = 10;

const NAMES = ["job", "params", "kind", "id", "a", "", "__proto__", "constructor", "a.b", "☃", "resize", "Width"];
const TEXTS = [
  "",
  "resize",
  "crop",
  "-rf",
  "{body}",
  "\0",
  "\ud800",
  "'; rm -rf /",
  "1e400",
  "800",
  "../..",
  "x".repeat(2000),
];
const TYPES = ["String", "String.uuid", "Number", "Number.int", "Binary", "Binary.png", "Nonsense", ""];

/** Bytes that are no text, texts that are no JSON, JSON of any shape, and now and then what somebody could have meant. */
class Garbage {
  readonly #random = new Random(20_260_101);

  #text(): string {
    const { next } = this.#random;
    if (this.#random.chance(0.6)) return this.#random.pick(TEXTS);
    const bytes = Uint8Array.from({ length: this.#random.between(0, 60) }, () => next() * 256);
    return new TextDecoder("latin1").decode(bytes);
  }

  #value(depth: number): unknown {
    switch (this.#random.between(0, depth > 0 ? 7 : 5)) {
      case 0:
        return null;
      case 1:
        return this.#random.chance(0.5);
      case 2:
        return (this.#random.next() - 0.5) * 10 ** this.#random.between(0, 300);
      case 3:
        return this.#random.between(-5, 5);
      case 6:
        return Array.from({ length: this.#random.between(0, 4) }, () => this.#value(depth - 1));
      case 7:
        return this.#object(depth - 1);
      default:
        return this.#text();
    }
  }

  #object(depth: number): object {
    const count = this.#random.between(0, 5);
    // As a parser makes it: `__proto__` is a name as any other.
    const members = Array.from(
      { length: count },
      () => `${JSON.stringify(this.#random.pick(NAMES))}:${JSON.stringify(this.#value(depth))}`,
    );
    return JSON.parse(`{${members.join(",")}}`) as object;
  }

  #body(): string {
    switch (this.#random.between(0, 5)) {
      case 0:
        return this.#text();
      case 1:
        return JSON.stringify(this.#object(3)).slice(0, this.#random.between(0, 80));
      case 2:
        return JSON.stringify(this.#value(3));
      case 3:
        return JSON.stringify({ job: this.#text(), params: this.#value(2) });
      case 4:
        return JSON.stringify({ job: "resize", params: { width: this.#value(1), image: this.#text() } });
      default:
        return JSON.stringify(this.#object(4));
    }
  }

  #attribute(): Attribute {
    const dataType = this.#random.pick(TYPES);
    if (this.#random.chance(0.7)) return { dataType, text: this.#text() };
    return { dataType, bytes: Buffer.from(this.#text()) };
  }

  message(number: number): ReceivedMessage {
    const attributes = Array.from({ length: this.#random.between(0, 10) }, () => {
      const name = this.#random.chance(0.3) ? "reeve.job" : this.#random.pick(NAMES);
      return [name, this.#attribute()] as const;
    });
    const system = [
      ["SenderId", "somebody"],
      ["MessageGroupId", this.#text()],
      ["AWSTraceHeader", this.#text()],
    ] as const;
    return {
      id: this.#random.chance(0.05) ? this.#text() : `message-${this.#random.chance(0.05) ? number - 1 : number}`,
      receipt: `receipt-${number}`,
      receivedAt: systemClock.boottime(),
      body: this.#body(),
      attributes: new Map(attributes),
      systemAttributes: new Map(system),
      receiveCount: this.#random.chance(0.1) ? null : this.#random.between(1, 5),
      sentAt: null,
      firstReceivedAt: null,
    };
  }
}

const resize = definition(
  { width: parameter({ kind: "integer", default: "800" }), image: parameter({ required: true }) },
  { command: ["/bin/resize", "{param.image}", "{param.width}"], route: { attribute: "kind", equals: "resize" } },
);
const crop = definition(
  { id: parameter({ from: { from: "body", path: ["a", "id"] } }) },
  { name: "crop", command: ["/bin/crop", "{body.a}", "{attr.kind}"], route: { field: "kind", equals: "crop" } },
);
const DEFINITIONS = new Map([resize, crop].map((one) => [one.name, one]));

test.each([
  [10_000, "buried", "bury"],
  [2000, "left where it is", "leave"],
] as const)("each of %d messages of garbage is run, rejected or %s", async (total, _, onUnroutable) => {
  using at = temporaryStore();
  const { store } = at;
  const settings: SqsQueueDefinition = { ...DEFAULT_SQS_QUEUE, url: "http://127.0.0.1:1/0/jobs", onUnroutable };
  const around = { clock: systemClock, warn: (what: string) => console.error(what) };
  const policy = new QueuePolicy(await connectFor({ url: settings.url, region: "eu-west-1" }), settings, around);
  const router = new Router({ definitions: DEFINITIONS, commandLine: null, job: null, extra: [] });
  const intake = new SqsIntake(settings, policy, {
    ...around,
    store,
    router,
    definitions: DEFINITIONS,
    worker: "worker-1",
    newId,
  });
  const planner = new Planner(DEFINITIONS, {});
  const garbage = new Garbage();
  const became = new Map<string, number>();
  const count = (what: string): void => void became.set(what, (became.get(what) ?? 0) + 1);

  for (let sent = 0; sent < total; sent += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, index) => garbage.message(sent + index));
    const arrived = messages.map((message) => ({
      message,
      body: { kind: "body", content: { kind: "inline", bytes: Buffer.from(message.body) } } as const,
      routed: null,
      leasedUntil: message.receivedAt + 60_000,
    }));
    const { run, notRun } = await store.write(() =>
      intake.take(
        arrived,
        { max: BATCH, idle: true, without: [] },
        ({ id: messageId, job, rejected, receiveCount }) => {
          const inputs = store.jobs.inputs(job.seq);
          const at = Date.now();
          store.attempts.begin({ job, worker: "worker-1", directory: "/", messageId, receiveCount, at });
          return rejected === null ? planner.plan(job, inputs).kind : "not routed";
        },
      ),
    );
    const seen = new Set([...run, ...notRun].map(({ message }) => message));
    expect([run.length + notRun.length, messages.every((message) => seen.has(message))]).toEqual([BATCH, true]);
    for (const { message, job, admitted } of run) {
      expect(Buffer.from(existing(bytesOf(store.jobs.inputs(job)))).equals(Buffer.from(message.body))).toBe(true);
      count(admitted);
    }
    for (const { what } of notRun) count(what.kind);
  }

  expect([...became.values()].reduce((sum, one) => sum + one, 0)).toBe(total);
  const either = onUnroutable === "bury" ? "not routed" : "left";
  for (const what of ["plan", "rejected", "running", either]) expect(became.get(what)).toBeGreaterThan(0);
});
