import type { Clock } from "../../clock.ts";
import type { SqsConnection } from "../../queue/sqs/connection.ts";
import type { Delivery, ReceivedMessage } from "../../queue/sqs/message.ts";
import type { Failure } from "../../queue/sqs/outcome.ts";
import { persist } from "../../queue/sqs/persist.ts";
import { failed } from "./failed.ts";

/**
 * For how long what was received is invisible to others. It outlasts what is done to a round (sent, then deleted, within
 * 30 s), and is short for whoever waits for what a reader that was killed has left.
 */
const HOLD_SECONDS = 60;

/** A poll that does not wait asks only some of SQS's servers, and may miss messages. */
const WAIT_SECONDS = 1;

/** For how long a poll that fails is tried again, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Releases that are under way together. */
const LANES = 10;

/** What is used of a queue to read it. */
export type Readable = Pick<SqsConnection, "address" | "receive" | "release">;

export interface ReadingPorts {
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * One reading of a queue: each message is given once. Until the reading ends they are all held, since what is visible
 * again could come before what has not come yet; then those that are still there are released.
 */
export class Reading {
  readonly #queue: Readable;
  readonly #ports: ReadingPorts;
  readonly #seen = new Set<string>();
  readonly #held = new Map<string, Delivery>();
  /** Messages in a row that had come before. */
  #repeats = 0;
  /** Whether an answer was lost, and what it may have brought with it. */
  #mayHaveMissed = false;

  constructor(queue: Readable, ports: ReadingPorts) {
    this.#queue = queue;
    this.#ports = ports;
  }

  get looked(): number {
    return this.#seen.size;
  }

  get mayHaveMissed(): boolean {
    return this.#mayHaveMissed;
  }

  /**
   * Up to so many that have not come yet; none when there are no more.
   *
   * @throws ReeveError (69) when the queue cannot be polled
   */
  async next(max: number): Promise<ReceivedMessage[]> {
    for (;;) {
      const messages = await this.#poll(max);
      const fresh = messages.filter((message) => this.#take(message));
      // A hold that ran out brings back what has been seen: the end is an empty poll, or once round without news.
      if (fresh.length > 0 || messages.length === 0 || this.#repeats >= this.#held.size) return fresh;
    }
  }

  #take({ id, receipt, receivedAt }: ReceivedMessage): boolean {
    const isFresh = !this.#seen.has(id);
    this.#repeats = isFresh ? 0 : this.#repeats + 1;
    this.#seen.add(id);
    this.#held.set(id, { receipt, receivedAt });
    return isFresh;
  }

  async #poll(max: number): Promise<ReceivedMessage[]> {
    const [answer] = await persist([max], PATIENCE_MS, this.#ports, async () => {
      const polled = await this.#queue.receive(max, WAIT_SECONDS, HOLD_SECONDS);
      this.#mayHaveMissed ||= polled.kind !== "ok" && polled.unanswered;
      return [polled];
    });
    if (!answer) throw new Error("a poll was made, and no outcome told");
    if (answer.kind !== "ok") throw failed(answer);
    return answer.value;
  }

  /** It is not to be released: it is gone, or comes back by itself. */
  forget(id: string): void {
    this.#held.delete(id);
  }

  /** All that is held can be received again. Gives what was in the way; then the rest comes back within the minute. */
  async release(): Promise<Failure | null> {
    const open = this.#held.values();
    let obstacle: Failure | null = null;
    const lane = async (): Promise<void> => {
      for (const delivery of open) {
        if (obstacle) return;
        obstacle ??= await this.#giveBack(delivery);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return obstacle;
  }

  async #giveBack(delivery: Delivery): Promise<Failure | null> {
    const isOver = this.#ports.clock.boottime() - delivery.receivedAt >= HOLD_SECONDS * 1000;
    const ended = isOver ? null : await this.#queue.release(delivery, 0);
    return ended === null || ended.kind === "ok" || ended.kind === "lease lost" ? null : ended;
  }
}
