import type { Clock } from "../../clock.ts";
import type { QueueAddress } from "./address.ts";
import type { Delivery } from "./message.ts";
import { DONE, type Answer, type Extended, type Failure, type Settled } from "./outcome.ts";
import { persist } from "./persist.ts";
import type { Requests } from "./requests.ts";

/** SQS lets no message be invisible for longer, counted from its receipt over all extensions. */
const MAX_VISIBILITY_SECONDS = 43_200;

/** The answer that brought the message was some time on its way, and so will be the request. */
const MARGIN_SECONDS = 30;

const ACTION = "ChangeMessageVisibility";

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
    const elapsed = (this.#settings.clock.boottime() - receivedAt) / 1000;
    return Math.max(0, Math.floor(MAX_VISIBILITY_SECONDS - MARGIN_SECONDS - elapsed));
  }

  async extend(delivery: Delivery, seconds: number, limitMs: number): Promise<Extended> {
    const grantedSeconds = Math.min(Math.ceil(seconds), this.remainingSeconds(delivery));
    // 0 would not extend the lease but end it.
    if (grantedSeconds < 1) return usedUp(this.#settings.address);
    const ended = await this.#change(delivery, grantedSeconds, limitMs);
    return ended.kind === "ok" ? { kind: "ok", grantedSeconds } : ended;
  }

  release(delivery: Delivery, seconds: number): Promise<Settled> {
    const clamped = Math.max(0, Math.min(Math.ceil(seconds), this.remainingSeconds(delivery)));
    return this.#change(delivery, clamped, this.#settings.limitMs);
  }

  async #change(delivery: Delivery, seconds: number, limitMs: number): Promise<Settled> {
    const [answer] = await persist([delivery], limitMs, this.#settings, async (_, leftMs) => [
      await this.#ask(delivery, seconds, leftMs),
    ]);
    return answer === undefined || answer.kind === "ok" ? DONE : answer;
  }

  #ask({ receipt }: Delivery, seconds: number, limitMs: number): Promise<Answer<unknown>> {
    const { url, name: queue } = this.#settings.address;
    return this.#requests.ask({ action: ACTION, queue }, limitMs, ({ sdk, client, options }) => {
      const command = new sdk.ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: receipt,
        VisibilityTimeout: seconds,
      });
      return client.send(command, options);
    });
  }
}

const usedUp = ({ name }: QueueAddress): Failure => ({
  kind: "lease lost",
  name: "TwelveHours",
  message: `${ACTION} on ${name}: SQS keeps a message for 12 hours after its receipt, and they are used up`,
  hint: null,
  unanswered: false,
});
