import type { Clock } from "../../clock.ts";
import type { QueueAddress } from "./address.ts";
import { nonsense } from "./failures.ts";
import { readMessage, type ReceivedMessage } from "./message.ts";
import type { Asked } from "./health.ts";
import type { Answer } from "./outcome.ts";
import type { Requests } from "./requests.ts";

/** SQS gives no more at once, and waits no longer. */
export const MAX_MESSAGES = 10;
export const MAX_WAIT_SECONDS = 20;

/** Polls of one queue that wait at the same time: Bun opens 256 connections in all, and a beat must find one. */
const MAX_POLLS = 100;

interface Settings {
  readonly address: QueueAddress;
  readonly clock: Clock;
  /** What a poll's answer may take beyond the wait, in milliseconds. */
  readonly marginMs: number;
  readonly warn: (message: string) => void;
}

/**
 * Polls a queue. A poll that was begun is left to end by itself: to break it off would strand on the server what it
 * was about to bring, invisible and with a receive counted.
 */
export class Receiver {
  readonly #requests: Requests;
  readonly #settings: Settings;
  #polls = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(requests: Requests, settings: Settings) {
    this.#requests = requests;
    this.#settings = settings;
  }

  async receive(max: number, waitSeconds: number): Promise<Answer<ReceivedMessage[]>> {
    if (max < 1) return { kind: "ok", value: [] };
    await this.#enter();
    try {
      return await this.#poll(Math.min(max, MAX_MESSAGES), Math.min(Math.max(waitSeconds, 0), MAX_WAIT_SECONDS));
    } finally {
      this.#leave();
    }
  }

  async #poll(max: number, waitSeconds: number): Promise<Answer<ReceivedMessage[]>> {
    const { address, clock, marginMs, warn } = this.#settings;
    const asked: Asked = { action: "ReceiveMessage", queue: address.name };
    const answer = await this.#requests.ask(
      asked,
      waitSeconds * 1000 + marginMs,
      async ({ sdk, client, options }) => {
        const command = new sdk.ReceiveMessageCommand({
          QueueUrl: address.url,
          MaxNumberOfMessages: max,
          WaitTimeSeconds: waitSeconds,
          MessageAttributeNames: ["All"],
          MessageSystemAttributeNames: ["All"],
          // The older name of the same, which is the one that older look-alikes know (softwaremill/elasticmq#1004).
          AttributeNames: ["All"],
        });
        const { Messages = [] } = await client.send(command, options);
        const receivedAt = clock.monotonic();
        return Messages.map((message) => readMessage(message, receivedAt));
      },
      // What can be read of it is given all the same: it would come back only after its visibility timeout.
      (messages) =>
        messages.length > 0 && messages.every((message) => message === null)
          ? nonsense("what came are no messages", asked)
          : null,
    );
    if (answer.kind !== "ok") return answer;
    const good = answer.value.filter((message) => message !== null);
    const broken = answer.value.length - good.length;
    if (broken > 0)
      warn(`${asked.action} on ${asked.queue}: ${broken} of ${answer.value.length} that came are no messages`);
    return { kind: "ok", value: good };
  }

  async #enter(): Promise<void> {
    while (this.#polls >= MAX_POLLS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#polls += 1;
  }

  #leave(): void {
    this.#polls -= 1;
    this.#waiting.shift()?.();
  }
}
