import type { Clock } from "../../clock.ts";
import type { QueueAddress } from "./address.ts";
import { deadLetterOf, findDeadLetterQueue, type DeadLetterQueue } from "./dead-letters.ts";
import { isMissingQueue, isUnknownCaller } from "./error-names.ts";
import { readFacts } from "./facts.ts";
import type { OutgoingMessage, ReceivedMessage } from "./message.ts";
import type { Answer, Buried, Failure, Settled } from "./outcome.ts";
import type { Remover } from "./removing.ts";
import type { Requests } from "./requests.ts";
import { sendAll, type Target } from "./sending.ts";

/** Copies that are remembered, so that none is made twice. */
const MAX_REMEMBERED = 10_000;

/** For so many milliseconds the dead letter queue is taken for what it was. */
const FOUND_FOR_MS = 60_000;

interface Settings {
  readonly address: QueueAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limitMs: number;
}

/** Moves messages to the dead letter queue: a copy, and only then the delete. */
export class Burials {
  readonly #requests: Requests;
  readonly #remover: Remover;
  readonly #settings: Settings;
  /** Ids of messages of which the dead letter queue has a copy. */
  readonly #copied = new Set<string>();
  /** A message that came twice is buried by one after the other. */
  readonly #underway = new Map<string, Promise<Buried>>();
  #found: { readonly queue: Extract<DeadLetterQueue, { kind: "found" }>; readonly at: number } | null = null;

  constructor(requests: Requests, remover: Remover, settings: Settings) {
    this.#requests = requests;
    this.#remover = remover;
    this.#settings = settings;
  }

  /**
   * @param isCopied what an earlier try has told, and another process may remember
   * @param onCopied the copy is there: waited for before the message is deleted
   */
  async bury(
    message: ReceivedMessage,
    reason: string,
    isCopied: boolean,
    onCopied: () => Promise<void>,
  ): Promise<Buried> {
    const { id } = message;
    if (isCopied) this.#remember(id);
    const burial = this.#after(this.#underway.get(id), message, reason, onCopied);
    this.#underway.set(id, burial);
    try {
      return await burial;
    } finally {
      if (this.#underway.get(id) === burial) this.#underway.delete(id);
    }
  }

  async #after(
    earlier: Promise<Buried> | undefined,
    message: ReceivedMessage,
    reason: string,
    onCopied: () => Promise<void>,
  ): Promise<Buried> {
    await earlier;
    if (!this.#copied.has(message.id)) {
      const failed = await this.#copy(message, reason);
      if (failed) return { ...failed, copied: false };
      this.#remember(message.id);
      await onCopied();
    }
    return { ...(await this.#remover.remove(message.receipt)), copied: true };
  }

  /** Within the limit of one call, however many requests it takes. Null: the copy is there. */
  async #copy(
    message: ReceivedMessage,
    reason: string,
  ): Promise<Failure | { kind: "no dead letter queue"; message: string } | null> {
    const { clock, limitMs } = this.#settings;
    const end = clock.monotonic() + limitMs;
    const left = (): number => end - clock.monotonic();
    const found = await this.#find(left);
    if (found.kind !== "ok") return ofThisMessage(found);
    const queue = found.value;
    if (queue.kind === "none") return { kind: "no dead letter queue", message: queue.message };
    let sent = await this.#send(queue, deadLetterOf(message, reason, queue), left());
    // The reason may be what is too much there: the queue may take smaller messages than SQS does.
    if (sent.kind === "refused") sent = await this.#send(queue, deadLetterOf(message, null, queue), left());
    if (sent.kind === "ok") return null;
    this.#found = null;
    return isMissingQueue(sent) ? { kind: "no dead letter queue", message: sent.message } : ofThisMessage(sent);
  }

  async #send(queue: Target, letter: OutgoingMessage, limitMs: number): Promise<Settled> {
    const [sent] = await sendAll(this.#requests, queue, [letter], { ...this.#settings, limitMs });
    if (!sent) throw new Error("one message was sent, and no outcome told");
    return sent;
  }

  async #find(left: () => number): Promise<Answer<DeadLetterQueue>> {
    const { address, clock } = this.#settings;
    if (this.#found && clock.monotonic() - this.#found.at < FOUND_FOR_MS)
      return { kind: "ok", value: this.#found.queue };
    const facts = await readFacts(this.#requests, address, left());
    if (facts.kind !== "ok") return facts;
    const answer = await findDeadLetterQueue(this.#requests, address, facts.value, left());
    if (answer.kind === "ok" && answer.value.kind === "found") {
      this.#found = { queue: answer.value, at: clock.monotonic() };
    }
    return answer;
  }

  #remember(id: string): void {
    this.#copied.add(id);
    const [oldest] = this.#copied;
    if (this.#copied.size > MAX_REMEMBERED && oldest !== undefined) this.#copied.delete(oldest);
  }
}

/** A dead letter queue that cannot be used keeps this message from it, and the queue itself from nothing. */
function ofThisMessage(failure: Failure): Failure {
  return failure.kind === "fatal" && !isUnknownCaller(failure) ? { ...failure, kind: "refused" } : failure;
}
