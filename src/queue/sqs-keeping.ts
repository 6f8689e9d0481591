import type { Clock } from "../clock.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import type { SqsConnection } from "./sqs/connection.ts";
import type { ReceivedMessage } from "./sqs/message.ts";

export interface KeepingOptions {
  readonly connection: SqsConnection;
  readonly definition: SqsQueueDefinition;
  readonly clock: Clock;
}

const EXTEND_LIMIT_MS = 10_000;

/**
 * Keeps messages from others while they wait for a body. No two extensions of one are ever under way together, nor is
 * one when this has ended.
 */
export class SqsKeeping {
  readonly #messages: readonly ReceivedMessage[];
  readonly #options: KeepingOptions;
  readonly #until = new Map<ReceivedMessage, number>();
  readonly #lost = new Set<ReceivedMessage>();
  #cancel: () => void = () => {};
  #underway = Promise.resolve();
  #isOver = false;

  constructor(messages: readonly ReceivedMessage[], options: KeepingOptions) {
    this.#messages = messages;
    this.#options = options;
    this.#wait();
  }

  /** Whether it is another's by now. */
  hasLost(message: ReceivedMessage): boolean {
    return this.#lost.has(message);
  }

  /** Until when it is ours, by the clock that runs while the machine sleeps. */
  untilOf(message: ReceivedMessage): number {
    return this.#until.get(message) ?? message.receivedAt + this.#options.definition.visibilityMs;
  }

  #wait(): void {
    const { beatMs, visibilityMs } = this.#options.definition;
    this.#cancel = this.#options.clock.after(beatMs ?? visibilityMs / 3, () => {
      this.#underway = this.#extendAll();
    });
  }

  async #extendAll(): Promise<void> {
    await Promise.all(this.#messages.map((message) => this.#extend(message)));
    if (!this.#isOver) this.#wait();
  }

  async #extend(message: ReceivedMessage): Promise<void> {
    const { connection, clock, definition } = this.#options;
    const begun = clock.boottime();
    const limitMs = Math.min(definition.visibilityMs / 2, EXTEND_LIMIT_MS);
    const extended = await connection.extend(message, definition.visibilityMs / 1000, limitMs);
    if (extended.kind === "ok") this.#until.set(message, begun + extended.grantedSeconds * 1000);
    else if (extended.kind === "lease lost") this.#lost.add(message);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#cancel();
    await this.#underway;
  }
}
