import { askForBatch, Batcher } from "./batch.ts";
import type { QueueAddress } from "./address.ts";
import type { Clock } from "../../clock.ts";
import { DONE, type Answer, type Settled } from "./outcome.ts";
import { persist } from "./persist.ts";
import type { Requests } from "./requests.ts";

interface Settings {
  readonly address: QueueAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limitMs: number;
  /** How long a delete waits for others to go with, in milliseconds. */
  readonly flushDelayMs: number;
}

/** Deletes messages, in batches. */
export class Remover {
  readonly #requests: Requests;
  readonly #settings: Settings;
  readonly #batcher: Batcher<string, Settled>;

  constructor(requests: Requests, settings: Settings) {
    this.#requests = requests;
    this.#settings = settings;
    this.#batcher = new Batcher((receipts) => this.#removeAll(receipts), settings.flushDelayMs, settings.clock);
  }

  remove(receipt: string): Promise<Settled> {
    return this.#batcher.add(receipt);
  }

  hurry(isWanted: boolean): void {
    this.#batcher.hurry(isWanted);
  }

  drain(): Promise<void> {
    return this.#batcher.drain();
  }

  async #removeAll(receipts: readonly string[]): Promise<Settled[]> {
    const { limitMs } = this.#settings;
    const answers = await persist(receipts, limitMs, this.#settings, (open, leftMs) => this.#ask(open, leftMs));
    return answers.map((answer) => (answer.kind === "ok" ? DONE : answer));
  }

  #ask(receipts: readonly string[], limitMs: number): Promise<Answer<true>[]> {
    const { url, name: queue } = this.#settings.address;
    return askForBatch(
      this.#requests,
      { action: "DeleteMessageBatch", queue },
      receipts,
      limitMs,
      async ({ sdk, client, options }, open) => {
        const Entries = open.map(([Id, ReceiptHandle]) => ({ Id, ReceiptHandle }));
        const command = new sdk.DeleteMessageBatchCommand({ QueueUrl: url, Entries });
        const { Successful = [], Failed = [] } = await client.send(command, options);
        return { done: new Map(Successful.map(({ Id = "" }) => [Id, true] as const)), failed: Failed };
      },
    );
  }
}
