import type { Clock } from "../../clock.ts";
import type { QueueAddress } from "./address.ts";
import type { Delivery } from "./message.ts";
import { DONE, type Answer, type Extended, type Settled } from "./outcome.ts";
import { persist } from "./persist.ts";
import type { Requests } from "./requests.ts";

/** SQS lets no message be invisible for longer, counted from its receipt over all extensions. */
export const MAX_VISIBILITY_SECONDS = 43_200;

/** The answer that brought the message was some time on its way, and so will be the request. */
const MARGIN_SECONDS = 30;

interface Settings {
  readonly address: QueueAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limitMs: number;
}

/** Changes when a message that was received is to be seen again. */
export class Visibility {
  readonly #requests: Requests;
  readonly #settings: Settings;

  constructor(requests: Requests, settings: Settings) {
    this.#requests = requests;
    this.#settings = settings;
  }

  /** Whole seconds that this delivery can still be kept from others, from now on. */
  remainingSeconds({ receivedAt }: Delivery): number {
    const elapsed = (this.#settings.clock.monotonic() - receivedAt) / 1000;
    return Math.max(0, Math.floor(MAX_VISIBILITY_SECONDS - MARGIN_SECONDS - elapsed));
  }

  /** One try: the next beat is the retry, and whoever beats knows how soon it has to be. */
  async extend(delivery: Delivery, seconds: number): Promise<Extended> {
    const grantedSeconds = this.#clamp(delivery, seconds);
    const answer = await this.#change(delivery, grantedSeconds, this.#settings.limitMs);
    return answer.kind === "ok" ? { kind: "ok", grantedSeconds } : answer;
  }

  async release(delivery: Delivery, seconds: number): Promise<Settled> {
    const clamped = this.#clamp(delivery, seconds);
    const [answer] = await persist([delivery], this.#settings.limitMs, this.#settings, async (_, leftMs) => [
      await this.#change(delivery, clamped, leftMs),
    ]);
    return answer === undefined || answer.kind === "ok" ? DONE : answer;
  }

  #clamp(delivery: Delivery, seconds: number): number {
    return Math.max(0, Math.min(Math.ceil(seconds), this.remainingSeconds(delivery)));
  }

  #change({ receipt }: Delivery, seconds: number, limitMs: number): Promise<Answer<unknown>> {
    const { url, name: queue } = this.#settings.address;
    return this.#requests.ask({ action: "ChangeMessageVisibility", queue }, limitMs, ({ sdk, client, options }) => {
      const command = new sdk.ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: receipt,
        VisibilityTimeout: seconds,
      });
      return client.send(command, options);
    });
  }
}
