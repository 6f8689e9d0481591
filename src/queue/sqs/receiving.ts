import type { Clock } from "../../clock.ts";
import type { QueueAddress } from "./address.ts";
import { nonsense } from "./failures.ts";
import { readMessage, type ReceivedMessage } from "./message.ts";
import type { Asked } from "./health.ts";
import type { Answer, Failure } from "./outcome.ts";
import type { Requests } from "./requests.ts";

/** SQS gives no more at once, and waits no longer. */
const MAX_MESSAGES = 10;
const MAX_WAIT_SECONDS = 20;

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

  async receive(max: number, waitSeconds: number, visibilitySeconds?: number): Promise<Answer<ReceivedMessage[]>> {
    if (max < 1) return { kind: "ok", value: [] };
    await this.#enter();
    try {
      const wait = Math.min(Math.max(waitSeconds, 0), MAX_WAIT_SECONDS);
      return await this.#poll(Math.min(max, MAX_MESSAGES), wait, visibilitySeconds);
    } finally {
      this.#leave();
    }
  }

  async #poll(
    max: number,
    waitSeconds: number,
    visibilitySeconds: number | undefined,
  ): Promise<Answer<ReceivedMessage[]>> {
    const { address, clock, marginMs } = this.#settings;
    const asked: Asked = { action: "ReceiveMessage", queue: address.name };
    const answer = await this.#requests.ask(
      asked,
      waitSeconds * 1000 + marginMs,
      async ({ sdk, client, options }) => {
        const command = new sdk.ReceiveMessageCommand({
          QueueUrl: address.url,
          MaxNumberOfMessages: max,
          WaitTimeSeconds: waitSeconds,
          ...(visibilitySeconds !== undefined && { VisibilityTimeout: visibilitySeconds }),
          MessageAttributeNames: ["All"],
          MessageSystemAttributeNames: ["All"],
          // The older name of the same, which is the one that older look-alikes know (softwaremill/elasticmq#1004).
          AttributeNames: ["All"],
        });
        const { Messages = [] } = await client.send(command, options);
        const receivedAt = clock.boottime();
        return Messages.map((message) => readMessage(message, receivedAt));
      },
      (messages) => complaintOf(messages, asked),
    );
    return answer.kind === "ok" ? this.#good(answer.value, asked) : answer;
  }

  /** What can be read is used, whatever else came: it would come back only after its visibility timeout. */
  #good(messages: readonly (ReceivedMessage | null)[], asked: Asked): Answer<ReceivedMessage[]> {
    const complaint = complaintOf(messages, asked);
    const good = messages.filter((message) => message !== null);
    if (complaint && good.length === 0) return complaint;
    if (complaint) this.#settings.warn(complaint.message);
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

function complaintOf(messages: readonly (ReceivedMessage | null)[], asked: Asked): Failure | null {
  const broken = messages.filter((message) => message === null).length;
  return broken > 0 ? nonsense(`${broken} of ${messages.length} that came are no messages`, asked) : null;
}
