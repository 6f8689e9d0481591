import type { Clock } from "../clock.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import { QueueTrouble, type Message } from "./port.ts";
import type { SqsConnection } from "./sqs/connection.ts";
import type { QueueFacts } from "./sqs/facts.ts";
import type { ReceivedMessage } from "./sqs/message.ts";
import type { Failure } from "./sqs/outcome.ts";

/** As long as SQS lets a poll wait. */
const LONGEST_WAIT_SECONDS = 20;
/** Somebody may give the queue another policy while we work. */
const LEARN_AGAIN_MS = 300_000;

interface Surroundings {
  readonly clock: Clock;
  readonly warn: (what: string) => void;
}

/** What a queue's attributes mean for its messages. */
export class QueuePolicy {
  readonly #connection: SqsConnection;
  readonly #settings: SqsQueueDefinition;
  readonly #around: Surroundings;
  #facts: QueueFacts | null = null;
  #learntAt = Number.NEGATIVE_INFINITY;
  #warned = "";

  constructor(connection: SqsConnection, settings: SqsQueueDefinition, around: Surroundings) {
    this.#connection = connection;
    this.#settings = settings;
    this.#around = around;
  }

  /**
   * Reads the attributes, at the start and now and then.
   *
   * @throws QueueTrouble when they could never be read.
   */
  async learn(): Promise<void> {
    const now = this.#around.clock.boottime();
    if (now - this.#learntAt < LEARN_AGAIN_MS) return;
    const answer = await this.#connection.facts();
    if (answer.kind === "ok") {
      this.#facts = answer.value;
      this.#learntAt = now;
      this.#warn(answer.value);
    } else if (this.#facts === null) {
      throw troubleOf(answer);
    }
  }

  /** Once for each state of things. */
  #warn({ redrive }: QueueFacts): void {
    const warning = warningOf(redrive);
    if (warning !== null && warning !== this.#warned) this.#around.warn(`${this.#settings.url}: ${warning}`);
    this.#warned = warning ?? "";
  }

  /** Seconds that a poll waits. */
  get waitSeconds(): number {
    return this.#settings.waitSeconds ?? (this.#facts?.waitSeconds || LONGEST_WAIT_SECONDS);
  }

  /** Whether the queue would give the message up instead of delivering it again. */
  isLast({ receiveCount }: ReceivedMessage): boolean {
    const redrive = this.#facts?.redrive;
    return redrive?.kind === "set" && (receiveCount ?? 0) >= redrive.maxReceiveCount;
  }

  get ifGivenUp(): Message["ifGivenUp"] {
    const kind = this.#facts?.redrive.kind ?? "unknown";
    // Where it is not known, it is found out by trying.
    return kind === "set" || kind === "unknown" ? "bury" : this.#settings.onExhausted;
  }
}

/** What SQS, or the way to it, has not let us do. */
export const troubleOf = ({ kind, message, hint }: Failure): QueueTrouble =>
  new QueueTrouble(kind === "lease lost" ? "refused" : kind, message, hint);

function warningOf(redrive: QueueFacts["redrive"]): string | null {
  switch (redrive.kind) {
    case "none":
      return "it has no redrive policy: what fails is tried again for ever, and there are no dead letters";
    case "unknown":
      return `its redrive policy cannot be read (${redrive.why}): what fails is taken to be tried again`;
    case "malformed":
      return `${redrive.why}: what fails is tried again for ever`;
    case "set":
      return redrive.maxReceiveCount < 3
        ? `its maxReceiveCount is ${redrive.maxReceiveCount}: a deploy or a lost receive is enough for the dead letters`
        : null;
    default:
      return redrive satisfies never;
  }
}
