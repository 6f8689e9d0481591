import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { messageOf, unreachable } from "../errors.ts";
import {
  BURY_AGAIN_MS,
  LeaseLost,
  QueueTrouble,
  type Message,
  type RemoteQueue,
  type Request,
  type Terms,
  wasLast,
} from "./port.ts";
import { Emptiness } from "./sqs-emptiness.ts";
import type { SqsConnection } from "./sqs/connection.ts";
import type { ReceivedMessage } from "./sqs/message.ts";
import type { Failure } from "./sqs/outcome.ts";
import type { Content } from "../store/job.ts";
import { SqsBodies } from "./sqs-bodies.ts";
import { askAbout } from "./sqs-job.ts";
import { QueuePolicy, troubleOf } from "./sqs-policy.ts";
import { SqsIntake, type IntakeOptions, type NotRun } from "./sqs-intake.ts";

export interface SqsQueueOptions extends IntakeOptions {
  readonly connection: SqsConnection;
  readonly definition: SqsQueueDefinition;
}

/** A delivery that this worker has. */
interface Held {
  readonly message: ReceivedMessage;
  /** Its job's row. */
  readonly job: number;
}

/** A message that could not be run now is looked at again after so long. */
const KEEP_BACK_MS = 30_000;
const HOW_TO_BURY = "give the queue a redrive policy, or set on_exhausted";

/**
 * Messages of an SQS queue, as jobs of this store. What it says of one store holds: a message that is being run here,
 * or was, is never run beside itself. Across hosts it is at least once, as SQS promises.
 */
export class SqsQueue implements RemoteQueue {
  readonly name: string;
  readonly terms: Terms;
  readonly weight: number;
  readonly #options: SqsQueueOptions;
  readonly #policy: QueuePolicy;
  readonly #intake: SqsIntake;
  readonly #bodies: SqsBodies;
  readonly #held = new Map<string, Held>();
  /** What is being told to the queue beside the jobs that run. */
  readonly #telling = new Set<Promise<void>>();
  readonly #emptiness: Emptiness;

  constructor(options: SqsQueueOptions) {
    const { definition, connection } = options;
    this.#options = options;
    this.#emptiness = new Emptiness(options.clock);
    this.name = definition.url;
    this.weight = definition.weight;
    this.terms = { visibilityMs: definition.visibilityMs, beatMs: definition.beatMs ?? definition.visibilityMs / 3 };
    this.#policy = new QueuePolicy(connection, definition, options);
    this.#intake = new SqsIntake(definition, this.#policy, options);
    const { routes, router } = options;
    const ask = routes && ((message: ReceivedMessage, body: Content) => askAbout(message, body, routes, router));
    this.#bodies = new SqsBodies({ ...options, ...(ask && { ask }) });
  }

  get putBackMs(): number {
    return (this.#policy.waitSeconds + 1) * 1000;
  }

  /** Messages of one group come together, and a later one must not be run before an earlier one is done with. */
  get mostAtOnce(): number {
    return this.#options.connection.address.isFifo ? 1 : 10;
  }

  async receive<T>(request: () => Request, admit: (message: Message, index: number) => T): Promise<T[]> {
    await this.#policy.learn();
    for (;;) {
      const { max: wanted, waitSeconds = Number.POSITIVE_INFINITY } = request();
      const max = Math.min(wanted, this.#options.routes?.mayTake ?? wanted);
      const messages = max <= 0 ? [] : await this.#poll(max, Math.min(waitSeconds, this.#policy.waitSeconds));
      if (messages.length === 0) return [];
      const arrived = await this.#bodies.of(messages, () => request().max > 0);
      const recording = this.#options.store.write(() => this.#intake.take(arrived, request(), admit));
      const taken = await recording.finally(() => this.#bodies.discard(arrived));
      for (const { message, job } of taken.run) this.#held.set(message.receipt, { message, job });
      for (const { message, what } of taken.notRun) this.#tellBeside(this.#answer(message, what), message);
      // There may be more behind what was not to be run.
      if (taken.run.length > 0) return taken.run.map(({ admitted }) => admitted);
    }
  }

  async #poll(max: number, waitSeconds: number): Promise<ReceivedMessage[]> {
    const { connection, clock, definition } = this.#options;
    const visibilitySeconds = definition.visibilityMs / 1000;
    const begun = clock.boottime();
    const answer = await connection.receive(Math.min(max, this.mostAtOnce), waitSeconds, visibilitySeconds);
    if (answer.kind !== "ok") throw troubleOf(answer);
    this.#emptiness.polled(answer.value.length, begun, waitSeconds);
    return answer.value;
  }

  /** Of a message that is not run. */
  async #answer(message: ReceivedMessage, what: NotRun): Promise<void> {
    switch (what.kind) {
      case "too many":
        return this.#putBack(message, this.putBackMs, "it came when it could not be started any more");
      case "keep back":
        return this.#putBack(message, KEEP_BACK_MS, what.why);
      case "left":
        return this.#options.warn(`message ${message.id} is left in ${this.name}: ${what.why}`);
      case "later":
        this.#options.warn(`message ${message.id} of ${this.name} is put back: ${what.why}`);
        return this.#release(message, what.delayMs);
      case "running":
      case "lost":
        return;
      case "acknowledge":
        return this.#acknowledge(message);
      case "bury": {
        const job = this.#options.store.jobs.byId(what.id)?.seq ?? null;
        return this.#buryOrPark(message, job, what.reason, what.isCopied);
      }
      default:
        return unreachable(what);
    }
  }

  /** What cannot be told is told when the message comes again. */
  #tellBeside(telling: Promise<void>, { id }: ReceivedMessage): void {
    const told = telling
      .catch((error: unknown) => this.#options.warn(`message ${id} of ${this.name}: ${messageOf(error)}`))
      .finally(() => this.#telling.delete(told));
    this.#telling.add(told);
  }

  renew(receipt: string, newer: string): void {
    const held = this.#held.get(receipt);
    if (!held) return;
    this.#held.delete(receipt);
    const receivedAt = this.#options.clock.boottime();
    this.#held.set(newer, { ...held, message: { ...held.message, receipt: newer, receivedAt } });
  }

  hurry(isWanted: boolean): void {
    this.#options.connection.hurry(isWanted);
  }

  async extend(receipt: string, milliseconds: number): Promise<number> {
    const { message } = this.#get(receipt);
    const limitMs = Math.min(milliseconds / 2, 10_000);
    const extended = await this.#options.connection.extend(message, milliseconds / 1000, limitMs);
    if (extended.kind === "ok") return extended.grantedSeconds * 1000;
    throw this.#wrong(receipt, extended);
  }

  async acknowledge(receipt: string): Promise<void> {
    await this.#settled(receipt, ({ message }) => this.#acknowledge(message));
  }

  async release(receipt: string, delayMs: number): Promise<void> {
    await this.#settled(receipt, ({ message }) => this.#release(message, delayMs));
  }

  async bury(receipt: string, reason: string): Promise<void> {
    await this.#settled(receipt, ({ message, job }) => {
      const isCopied = this.#options.store.jobs.bySeq(job)?.copied === 1;
      return this.#bury(message, job, reason, isCopied);
    });
  }

  async #settled(receipt: string, settle: (held: Held) => Promise<void>): Promise<void> {
    await settle(this.#get(receipt));
    this.#held.delete(receipt);
  }

  #get(receipt: string): Held {
    const held = this.#held.get(receipt);
    if (!held) throw new LeaseLost(receipt);
    return held;
  }

  async #acknowledge(message: ReceivedMessage): Promise<void> {
    const removed = await this.#options.connection.remove(message.receipt);
    if (removed.kind !== "ok") throw this.#wrong(message.receipt, removed);
    const removing = this.#bodies.remove(message)?.then((ended) => {
      if (ended.kind !== "ok") throw troubleOf(ended);
    });
    if (removing) this.#tellBeside(removing, message);
  }

  /** Of one that was not run. After the last delivery its queue would give it up without a reason. */
  async #putBack(message: ReceivedMessage, delayMs: number, why: string): Promise<void> {
    if (!this.#policy.isLast(message)) return this.#release(message, delayMs);
    return this.#bury(message, null, wasLast(why, message), false);
  }

  async #release(message: ReceivedMessage, delayMs: number): Promise<void> {
    const released = await this.#options.connection.release(message, delayMs / 1000);
    if (released.kind !== "ok") throw this.#wrong(message.receipt, released);
    this.#emptiness.putBack(delayMs);
  }

  /** Of one that was decided before. Where it cannot be buried it is not given out again and again. */
  async #buryOrPark(message: ReceivedMessage, job: number | null, reason: string, isCopied: boolean): Promise<void> {
    try {
      await this.#bury(message, job, reason, isCopied);
    } catch (error) {
      const isForGood = error instanceof QueueTrouble && error.kind !== "transient";
      if (isForGood && !this.#policy.isLast(message)) {
        await this.#options.connection.extend(message, BURY_AGAIN_MS / 1000);
      }
      throw error;
    }
  }

  /** That there is a copy is on disk before the message is deleted: the next try, whoever makes it, only deletes. */
  async #bury(message: ReceivedMessage, job: number | null, reason: string, isCopied: boolean): Promise<void> {
    const { connection, store } = this.#options;
    const onCopied = async (): Promise<void> => {
      if (job !== null) await store.write(() => store.deliveries.copied(job));
    };
    const buried = await connection.bury(message, reason, isCopied, onCopied);
    if (buried.kind === "ok") return;
    if (buried.kind === "no dead letter queue") throw new QueueTrouble("refused", buried.message, HOW_TO_BURY);
    throw this.#wrong(message.receipt, buried);
  }

  #wrong(receipt: string, failure: Failure): Error {
    if (failure.kind !== "lease lost") return troubleOf(failure);
    this.#held.delete(receipt);
    return new LeaseLost(receipt);
  }

  nextDue(): number | null {
    return null;
  }

  isDrained(): boolean {
    return this.#emptiness.isSeen && this.#telling.size === 0;
  }

  async close(): Promise<void> {
    await Promise.all(this.#telling);
    await this.#options.connection.close();
  }
}
