import assert from "node:assert/strict";
import { LeaseLost, type Message, type Queue, type Request } from "../../src/queue/port.ts";
import type { Case } from "./suite.ts";

export interface Sent {
  readonly body: Uint8Array;
  readonly priority?: number;
}

/** An empty queue of one implementation, seen by two workers. */
export interface QueueHarness {
  readonly queue: Queue;
  /** The same queue, as another worker has it. */
  readonly other: Queue;
  /** Whether messages have priorities. */
  readonly hasPriorities: boolean;
  /** Whether a body may hold this byte. */
  mayHold(byte: number): boolean;
  /** Gives the message's id. */
  send(message: Sent): Promise<string>;
  bodyOf(message: Message): Uint8Array | null;
  /** Whether nothing is left, looked at as thoroughly as it takes to know. */
  isDrained(): Promise<boolean>;
  /** Lets time pass for this queue. */
  advance(milliseconds: number): Promise<void>;
  close(): Promise<void>;
}

export interface QueueMaker {
  make(): Promise<QueueHarness>;
}

export type QueueCase = Case<QueueMaker>;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const request = (fields: Partial<Request> = {}): Request => ({ max: 10, idle: true, without: [], ...fields });

export const receive = (queue: Queue, fields: Partial<Request> = {}): Promise<Message[]> =>
  queue.receive(
    () => request(fields),
    (message) => message,
  );

/** The one message that is there. */
async function receiveOne(queue: Queue): Promise<Message> {
  const [message, ...more] = await receive(queue);
  assert.ok(message, "a message is there");
  assert.equal(more.length, 0, "there is only one");
  return message;
}

const isEmpty = async (queue: Queue): Promise<boolean> => (await receive(queue)).length === 0;

const loses = (verb: Promise<unknown>): Promise<void> =>
  assert.rejects(verb, (error) => error instanceof LeaseLost, "a lost lease is told");

function promise(name: string, run: (harness: QueueHarness) => Promise<void>): QueueCase {
  return {
    name,
    async run(maker) {
      const harness = await maker.make();
      try {
        await run(harness);
      } finally {
        await harness.close();
      }
    },
  };
}

const RECEIVING: readonly QueueCase[] = [
  promise("nothing there is no error", async ({ queue, isDrained }) => {
    assert.deepEqual(await receive(queue), []);
    assert.equal(await isDrained(), true);
    assert.equal(queue.nextDue(), null);
  }),
  promise("a message is received with its id, its body and a first receive count", async (harness) => {
    const { queue, send, bodyOf, mayHold } = harness;
    const body = Uint8Array.from(Array.from({ length: 128 }, (_, byte) => byte).filter(mayHold));
    const id = await send({ body });
    const message = await receiveOne(queue);
    assert.equal(message.id, id);
    assert.deepEqual([...(bodyOf(message) ?? [])], [...body]);
    assert.equal(message.receiveCount, 1);
  }),
  promise("no more are received than were asked for", async ({ queue, send }) => {
    for (let index = 0; index < 7; index += 1) await send({ body: bytes(`${index}`) });
    assert.equal((await receive(queue, { max: 3 })).length <= 3, true);
    assert.deepEqual(await receive(queue, { max: 0 }), []);
    assert.deepEqual(await receive(queue, { max: -1 }), []);
  }),
  promise("all that is there is received by asking again", async ({ queue, send }) => {
    const ids = new Set<string>();
    for (let index = 0; index < 12; index += 1) ids.add(await send({ body: bytes(`${index}`) }));
    const received = new Set<string>();
    for (let round = 0; round < 20 && received.size < 12; round += 1) {
      for (const { id } of await receive(queue, { max: 5 })) received.add(id);
    }
    assert.deepEqual(received, ids);
  }),
  promise("what admit gives for each message is what receive gives", async ({ queue, send }) => {
    await send({ body: bytes("a") });
    await send({ body: bytes("b") });
    const admitted = await queue.receive(
      () => request({ max: 2 }),
      (message, index) => ({ id: message.id, index }),
    );
    const indices = admitted.map(({ index }) => index);
    assert.deepEqual(
      indices,
      indices.map((_, index) => index),
    );
  }),
  promise("a message that is received is nobody else's", async ({ queue, other, send }) => {
    await send({ body: bytes("a") });
    await receiveOne(queue);
    assert.equal(await isEmpty(other), true);
    assert.equal(await isEmpty(queue), true);
  }),
  promise("two that receive at once never get the same message", async ({ queue, other, send }) => {
    for (let index = 0; index < 30; index += 1) await send({ body: bytes(`${index}`) });
    const receiving = Array.from({ length: 10 }, (_, index) => receive(index % 2 ? queue : other, { max: 4 }));
    const ids = (await Promise.all(receiving)).flat().map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, 30);
  }),
  promise("a message of a higher priority comes first, among equals the older one", async (harness) => {
    const { queue, send } = harness;
    if (!harness.hasPriorities) return;
    const priorities = [0, 5, -1, 5, 0];
    const ids: string[] = [];
    for (const priority of priorities) ids.push(await send({ body: bytes("x"), priority }));
    const together = await receive(queue, { max: 2 });
    const alone = [...(await receive(queue, { max: 1 })), ...(await receive(queue, { max: 1 }))];
    const last = await receive(queue, { max: 1 });
    const order = [...together, ...alone, ...last].map(({ id }) => ids.indexOf(id));
    assert.deepEqual(order, [1, 3, 0, 4, 2]);
  }),
];

const SETTLING: readonly QueueCase[] = [
  promise("a lease is extended", async ({ queue, other, send }) => {
    await send({ body: bytes("a") });
    const { receipt } = await receiveOne(queue);
    await queue.extend(receipt, MINUTE_MS);
    assert.equal(await isEmpty(other), true);
    await queue.acknowledge(receipt);
  }),
  promise("an acknowledged message never comes back", async ({ queue, other, send, advance, isDrained }) => {
    await send({ body: bytes("a") });
    await queue.acknowledge((await receiveOne(queue)).receipt);
    await advance(DAY_MS);
    assert.equal(await isEmpty(queue), true);
    assert.equal(await isEmpty(other), true);
    assert.equal(await isDrained(), true);
  }),
  promise("a buried message is not received again", async ({ queue, other, send, advance, isDrained }) => {
    await send({ body: bytes("a") });
    await queue.bury((await receiveOne(queue)).receipt, "it cannot be read");
    await advance(DAY_MS);
    assert.equal(await isEmpty(queue), true);
    assert.equal(await isEmpty(other), true);
    assert.equal(await isDrained(), true);
  }),
  promise("a message released without delay is there again at once, for whoever comes", async (harness) => {
    const { queue, other, send } = harness;
    const id = await send({ body: bytes("a") });
    await queue.release((await receiveOne(queue)).receipt, 0);
    assert.equal((await receiveOne(other)).id, id);
  }),
  promise(
    "a message released with a delay is there after it, not before",
    async ({ queue, send, advance, isDrained }) => {
      const id = await send({ body: bytes("a") });
      await queue.release((await receiveOne(queue)).receipt, MINUTE_MS);
      assert.equal(await isEmpty(queue), true);
      assert.equal(await isDrained(), false);
      await advance(MINUTE_MS - 10_000);
      assert.equal(await isEmpty(queue), true);
      await advance(10_000);
      assert.equal((await receiveOne(queue)).id, id);
    },
  ),
  promise("each delivery counts, and has a receipt and the whole body of its own", async (harness) => {
    const { queue, send, bodyOf } = harness;
    const id = await send({ body: bytes("the body ☃") });
    const receipts = new Set<string>();
    for (let round = 1; round <= 3; round += 1) {
      const message = await receiveOne(queue);
      assert.equal(message.receiveCount, round);
      assert.equal(message.id, id);
      assert.deepEqual(bodyOf(message), bytes("the body ☃"));
      receipts.add(message.receipt);
      await queue.release(message.receipt, 0);
    }
    assert.equal(receipts.size, 3);
  }),
  promise("settling one message does nothing to another", async ({ queue, send, advance }) => {
    for (const body of ["a", "b", "c", "d"]) await send({ body: bytes(body) });
    const messages = [...(await receive(queue)), ...(await receive(queue))];
    const [first, second, third, fourth] = messages;
    assert.ok(first && second && third && fourth);
    await Promise.all([
      queue.acknowledge(first.receipt),
      queue.bury(second.receipt, "no"),
      queue.release(third.receipt, 1000),
    ]);
    await queue.extend(fourth.receipt, MINUTE_MS);
    await advance(1000);
    assert.equal((await receiveOne(queue)).id, third.id);
  }),
];

const STALE: readonly QueueCase[] = [
  promise("a receipt that an other delivery has made stale settles nothing", async ({ queue, other, send }) => {
    const id = await send({ body: bytes("a") });
    const stale = await receiveOne(queue);
    await queue.release(stale.receipt, 0);
    const newest = await receiveOne(other);
    await loses(queue.extend(stale.receipt, MINUTE_MS));
    await loses(queue.acknowledge(stale.receipt));
    await loses(queue.release(stale.receipt, 0));
    await loses(queue.bury(stale.receipt, "no"));
    assert.equal(await isEmpty(queue), true, "it is still the other's");
    await other.release(newest.receipt, 0);
    assert.equal((await receiveOne(queue)).id, id);
  }),
  promise("a stale receipt of the same worker settles nothing either", async ({ queue, send }) => {
    await send({ body: bytes("a") });
    const stale = await receiveOne(queue);
    await queue.release(stale.receipt, 0);
    const newest = await receiveOne(queue);
    await loses(queue.acknowledge(stale.receipt));
    await loses(queue.bury(stale.receipt, "no"));
    await queue.extend(newest.receipt, MINUTE_MS);
    await queue.acknowledge(newest.receipt);
  }),
  promise("a message's id is no receipt", async ({ queue, send }) => {
    const id = await send({ body: bytes("a") });
    const message = await receiveOne(queue);
    await loses(queue.acknowledge(id));
    await queue.acknowledge(message.receipt);
  }),
  promise("what was never a receipt settles nothing", async ({ queue, send }) => {
    await send({ body: bytes("a") });
    for (const receipt of ["", ".", "nonsense", "nonsense.1", "' OR 1=1 --.1"]) await loses(queue.acknowledge(receipt));
    await receiveOne(queue);
  }),
];

/** What every queue promises. */
export const QUEUE_CASES: readonly QueueCase[] = [...RECEIVING, ...SETTLING, ...STALE];
