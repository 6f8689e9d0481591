import type { Delivery as Lease, ReceivedMessage } from "../../../src/queue/sqs/message.ts";
import { SqsConnection } from "../../../src/queue/sqs/connection.ts";
import type { Answer, Buried, Extended, Settled } from "../../../src/queue/sqs/outcome.ts";
import type { Life } from "../life.ts";

export type Verb = "extend" | "release" | "remove" | "bury";

/** What is looked at when a worker asks its queue something about a delivery. */
export interface ConnectionWatch {
  received(life: Life, messageId: string, visibilityMs: number): void;
  /** It knows that the dead letters have a copy of the message, which it began to bury at `begun`. */
  copied(life: Life, messageId: string, begun: number): void;
  asking(life: Life, verb: Verb, receipt: string): void;
  /** @param forMs - how long the message is to be nobody else's from when it was asked for; null: as before. */
  asked(
    life: Life,
    verb: Verb,
    receipt: string,
    how: Settled["kind"] | "no dead letter queue",
    until: number | null,
  ): void;
}

/** The real connection, with somebody who looks at each call and its outcome. */
export class WatchedConnection extends SqsConnection {
  readonly #life: Life;
  readonly #watch: ConnectionWatch;

  constructor(life: Life, watch: ConnectionWatch, ...real: ConstructorParameters<typeof SqsConnection>) {
    super(...real);
    this.#life = life;
    this.#watch = watch;
  }

  async #asked<T extends { readonly kind: Settled["kind"] | "no dead letter queue" }>(
    verb: Verb,
    receipt: string,
    ask: () => Promise<T>,
    until: (answer: T) => number | null = () => null,
  ): Promise<T> {
    this.#watch.asking(this.#life, verb, receipt);
    const answer = await ask();
    this.#watch.asked(this.#life, verb, receipt, answer.kind, until(answer));
    return answer;
  }

  override async receive(most: number, waitSeconds: number, visibility = 30): Promise<Answer<ReceivedMessage[]>> {
    const answer = await super.receive(most, waitSeconds, visibility);
    if (answer.kind === "ok") {
      for (const { id } of answer.value) this.#watch.received(this.#life, id, visibility * 1000);
    }
    return answer;
  }

  override extend(lease: Lease, seconds: number, limitMs?: number): Promise<Extended> {
    const begun = this.#life.world.now;
    const until = (answer: Extended): number | null =>
      answer.kind === "ok" ? begun + answer.grantedSeconds * 1000 : null;
    return this.#asked("extend", lease.receipt, () => super.extend(lease, seconds, limitMs), until);
  }

  override release(lease: Lease, seconds: number): Promise<Settled> {
    return this.#asked("release", lease.receipt, () => super.release(lease, seconds));
  }

  override remove(receipt: string): Promise<Settled> {
    return this.#asked("remove", receipt, () => super.remove(receipt));
  }

  override bury(...[message, reason, isCopied, onCopied]: Parameters<SqsConnection["bury"]>): Promise<Buried> {
    const begun = this.#life.world.now;
    const noted = async (): Promise<void> => {
      this.#watch.copied(this.#life, message.id, begun);
      await onCopied?.();
    };
    return this.#asked("bury", message.receipt, () => super.bury(message, reason, isCopied, noted));
  }
}
