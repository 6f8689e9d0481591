import { systemClock, type Clock } from "../../src/clock.ts";
import { DEFAULT_SQS_QUEUE, type SqsQueueDefinition } from "../../src/config/queue-definition.ts";
import { Router } from "../../src/config/routing.ts";
import type { Message, Queue, Request } from "../../src/queue/port.ts";
import { SqsQueue } from "../../src/queue/sqs-queue.ts";
import type { Job, Settlement } from "../../src/store/job.ts";
import type { Store } from "../../src/store/store.ts";
import type { QueueHarness, QueueMaker } from "../contract/queue.ts";
import { definition } from "../config/helpers.ts";
import { endOfAttempt } from "./attempt-end.ts";
import { SqsServer } from "./sqs-server.ts";
import { bytesOf, existing, newId, temporaryStore } from "./temporary.ts";

/** Moves on the clock of this process, which is the server's, too. */
class MovedClock implements Disposable {
  readonly #now = Date.now;
  readonly clock: Clock;
  movedMs = 0;

  constructor() {
    Date.now = () => this.#now.call(Date) + this.movedMs;
    this.clock = { ...systemClock, boottime: () => systemClock.boottime() + this.movedMs };
  }

  [Symbol.dispose](): void {
    Date.now = this.#now;
  }
}

const SETTLED = {
  acknowledge: { phase: "COMPLETED", verdict: { kind: "acknowledge" }, counts: "nothing", error: null },
  release: { phase: "QUEUED", verdict: { kind: "release", delayMs: 0 }, counts: "nothing", error: null },
  bury: {
    phase: "ERROR",
    verdict: { kind: "bury", reason: "no" },
    counts: "nothing",
    error: { message: "no", type: "fatal" },
  },
} as const satisfies Record<string, Settlement>;

/** A queue as its worker uses it: starts and ends are recorded before anything is told. */
class RecordedQueue implements Queue {
  readonly name: string;
  readonly terms: Queue["terms"];
  readonly #queue: SqsQueue;
  readonly #store: Store;
  readonly #worker: string;
  readonly #running = new Map<string, Job>();

  constructor(queue: SqsQueue, store: Store, worker: string) {
    this.name = queue.name;
    this.terms = queue.terms;
    this.#queue = queue;
    this.#store = store;
    this.#worker = worker;
  }

  receive<T>(request: () => Request, admit: (message: Message, index: number) => T): Promise<T[]> {
    return this.#queue.receive(
      () => ({ waitSeconds: 0, ...request() }),
      (message, index) => {
        const { job, id: messageId, receiveCount, receipt } = message;
        const start = { job, worker: this.#worker, directory: "/nowhere", messageId, receiveCount, at: Date.now() };
        this.#store.attempts.begin(start);
        this.#running.set(receipt, job);
        return admit(message, index);
      },
    );
  }

  async #record(receipt: string, settlement: Settlement): Promise<void> {
    const job = this.#running.get(receipt);
    this.#running.delete(receipt);
    const end = endOfAttempt(0, Date.now());
    if (job) await this.#store.write(() => this.#store.attempts.end(job, end, settlement, this.#worker));
  }

  async acknowledge(receipt: string): Promise<void> {
    await this.#record(receipt, SETTLED.acknowledge);
    await this.#queue.acknowledge(receipt);
  }

  async release(receipt: string, delayMs: number): Promise<void> {
    await this.#record(receipt, SETTLED.release);
    await this.#queue.release(receipt, delayMs);
  }

  async bury(receipt: string, reason: string): Promise<void> {
    await this.#record(receipt, SETTLED.bury);
    await this.#queue.bury(receipt, reason);
  }

  extend(receipt: string, milliseconds: number): Promise<number> {
    return this.#queue.extend(receipt, milliseconds);
  }

  nextDue(): number | null {
    return this.#queue.nextDue();
  }

  isDrained(): boolean {
    return this.#queue.isDrained();
  }
}

/** What SQS lets a body be: https://www.w3.org/TR/REC-xml/#charsets. */
const mayHold = (byte: number): boolean => byte === 0x9 || byte === 0xa || byte === 0xd || byte >= 0x20;

/** Queues of SQS, each seen by two workers that have stores of their own, as on two hosts. */
export class SqsMaker implements QueueMaker, AsyncDisposable {
  #server: Promise<SqsServer> | null = null;

  async make(): Promise<QueueHarness> {
    this.#server ??= SqsServer.start();
    const server = await this.#server;
    // Far from any last delivery.
    const [name] = await server.createPair({}, 1000);
    const moved = new MovedClock();
    const stores = [temporaryStore(), temporaryStore()] as const;
    const queues = await Promise.all(
      stores.map(({ store }, index) => makeQueue(server, name, store, `worker-${index}`, moved.clock)),
    );
    const [one, two] = queues.map(existing);
    const { store } = stores[0];
    return {
      queue: new RecordedQueue(existing(one), store, "worker-0"),
      other: new RecordedQueue(existing(two), stores[1].store, "worker-1"),
      hasPriorities: false,
      mayHold,
      send: ({ body }) => server.send(name, new TextDecoder().decode(body)),
      bodyOf: ({ job }) => bytesOf(store.jobs.inputs(job.seq)),
      advance: async (milliseconds) => void (moved.movedMs += milliseconds),
      // Whether anything is left shows to a poll of a second only.
      async isDrained() {
        await existing(one).receive(
          () => ({ max: 1, idle: true, without: [], waitSeconds: 1 }),
          () => null,
        );
        return existing(one).isDrained();
      },
      async close() {
        for (const queue of queues) await queue.close();
        moved[Symbol.dispose]();
        for (const at of stores) at[Symbol.dispose]();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#server)?.[Symbol.asyncDispose]();
  }
}

/** With one definition, which takes every message. */
export async function makeQueue(
  server: SqsServer,
  name: string,
  store: Store,
  worker: string,
  clock: Clock = systemClock,
  fields: Partial<SqsQueueDefinition> = {},
): Promise<SqsQueue> {
  const url = `${server.proxy.origin}/000000000000/${name}`;
  const connection = await server.connect(name, {}, { clock });
  const definitions = new Map([["resize", definition({})]]);
  const router = new Router({ definitions, commandLine: null, job: null, extra: [] });
  return new SqsQueue({
    connection,
    definition: { ...DEFAULT_SQS_QUEUE, url, ...fields },
    store,
    router,
    definitions,
    worker,
    clock,
    newId,
    warn: (what) => console.error(what),
  });
}
