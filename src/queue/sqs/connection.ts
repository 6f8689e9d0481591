import type { Clock } from "../../clock.ts";
import { configuredEndpoint, parseQueueUrl, type QueueAddress } from "./address.ts";
import { Burials } from "./burying.ts";
import { createClient, fetchFor, type ClientPorts, type ClientSettings } from "./client.ts";
import { findDeadLetterQueue, type DeadLetterQueue } from "./dead-letters.ts";
import { readFacts, type QueueFacts } from "./facts.ts";
import { Health } from "./health.ts";
import type { Delivery, OutgoingMessage, ReceivedMessage } from "./message.ts";
import type { Answer, Buried, Extended, Sent, Settled } from "./outcome.ts";
import { Payloads } from "./payloads.ts";
import { Receiver } from "./receiving.ts";
import { Remover } from "./removing.ts";
import { Requests, type Caller } from "./requests.ts";
import { sendAll } from "./sending.ts";
import { Visibility } from "./visibility.ts";

export interface ConnectionSettings extends ClientSettings {
  /** The queue's URL. */
  readonly url: string;
  /** For how long a delete may wait for others to go with, in milliseconds: 20. On a FIFO queue it never does. */
  readonly flushDelayMs?: number;
  /** What one call may take, with all its tries, in milliseconds: 10 000. A poll's is its wait and `pollMarginMs`. */
  readonly callLimitMs?: number;
  /** What the answer to a poll may take beyond the wait, in milliseconds: 5 000. */
  readonly pollMarginMs?: number;
  /** The largest body that is fetched from S3, in bytes: 134 217 728. It is held in memory, and kept in the store. */
  readonly maxPayloadBytes?: number;
}

export interface ConnectionPorts extends ClientPorts {
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

const FLUSH_DELAY_MS = 20;
const CALL_LIMIT_MS = 10_000;
const POLL_MARGIN_MS = 5000;
/** What S3 takes in one request, and so the largest that its senders make of a message. */
const MAX_PAYLOAD_BYTES = 5 * 1024 ** 3;

/**
 * Makes what is needed to talk to a queue, and loads the SDK for it, which nobody else pays for. Nothing is asked of
 * the queue yet.
 *
 * @throws {ReeveError} where a setting cannot be right
 */
export async function connect(settings: ConnectionSettings, ports: ConnectionPorts): Promise<SqsConnection> {
  const address = parseQueueUrl(settings.url);
  const sdk = await import("@aws-sdk/client-sqs");
  const fetch = fetchFor(settings.environment, ports);
  const client = await createClient(sdk, address, settings, { fetch, warn: ports.warn });
  const health = new Health(ports.clock.now);
  const requests = new Requests(sdk, client, { health, clock: ports.clock });
  const { environment, maxPayloadBytes: maxBytes = MAX_PAYLOAD_BYTES } = settings;
  const endpoint = configuredEndpoint("S3", environment);
  const payloads = new Payloads(requests, { ...ports, fetch, endpoint, maxBytes });
  return new SqsConnection(address, requests, payloads, { ...settings, ...ports });
}

/**
 * One SQS queue, without any notion of a job. No call throws for what the queue or the network does: each outcome is a
 * value. Every call ends: within its wait and 5 s (`receive`), within 10 s (the others), within 20 s (`bury`: a copy
 * and a delete), and a batch of `send` within 10 s.
 */
export class SqsConnection {
  readonly address: QueueAddress;
  /** Bodies that are not in the queue but in S3; nothing is loaded for it before one is asked for. */
  readonly payloads: Payloads;
  readonly #requests: Requests;
  readonly #settings: ConnectionPorts & { readonly address: QueueAddress; readonly limitMs: number };
  readonly #given: ConnectionSettings & ConnectionPorts;
  readonly #receiver: Receiver;
  readonly #visibility: Visibility;
  readonly #remover: Remover;
  readonly #burials: Burials;

  constructor(
    address: QueueAddress,
    requests: Requests,
    payloads: Payloads,
    settings: ConnectionSettings & ConnectionPorts,
  ) {
    const { flushDelayMs = FLUSH_DELAY_MS, callLimitMs = CALL_LIMIT_MS, pollMarginMs = POLL_MARGIN_MS } = settings;
    const all = { ...settings, address, limitMs: callLimitMs };
    this.address = address;
    this.payloads = payloads;
    this.#requests = requests;
    this.#settings = all;
    this.#given = settings;
    this.#receiver = new Receiver(requests, { ...all, marginMs: pollMarginMs });
    this.#visibility = new Visibility(requests, all);
    // There a delete lets the next message of its group come.
    this.#remover = new Remover(requests, { ...all, flushDelayMs: address.isFifo ? 0 : flushDelayMs });
    this.#burials = new Burials(requests, this.#remover, all);
  }

  /** What became of the requests so far. */
  get health(): Health {
    return this.#requests.health;
  }

  /** By whom and where the queue is asked. @throws Error before anything was answered, where that is not known */
  caller(): Promise<Caller> {
    return this.#requests.caller();
  }

  /** By how many milliseconds the server's clock was ahead of this machine's when it last answered; 0 before that. */
  get clockOffsetMs(): number {
    return this.#requests.clockOffsetMs;
  }

  facts(): Promise<Answer<QueueFacts>> {
    return readFacts(this.#requests, this.address, this.#settings.limitMs);
  }

  /** Finds the queue that the redrive policy of this one, whose facts these are, moves messages to. */
  deadLetterQueue(facts: Pick<QueueFacts, "redrive">): Promise<Answer<DeadLetterQueue>> {
    return findDeadLetterQueue(this.#requests, this.address, facts, this.#settings.limitMs);
  }

  /** Another queue of the same account and region, by the same client: it is closed with this one. */
  beside(url: string): SqsConnection {
    return new SqsConnection(parseQueueUrl(url), this.#requests, this.payloads, this.#given);
  }

  /**
   * One poll: up to ten messages, none if none came. It is not tried again, and cannot be broken off but by `close`:
   * what it was about to bring would be invisible for nobody. Let it end, and release what it brings.
   *
   * @param waitSeconds 0 to 20, for the first message to come
   * @param visibilitySeconds for how long what comes is nobody else's; else as the queue says
   */
  receive(max: number, waitSeconds: number, visibilitySeconds?: number): Promise<Answer<ReceivedMessage[]>> {
    return this.#receiver.receive(max, waitSeconds, visibilitySeconds);
  }

  /**
   * The message stays invisible for so many seconds from now, cut so that the 12 hours since its receipt hold. Never two
   * at once for one delivery, nor beside a `remove`, `release` or `bury` of it: the one that lands last wins.
   *
   * @param limitMs what this may take with all its tries, where the lease has less left than other calls take
   */
  extend(delivery: Delivery, seconds: number, limitMs: number = this.#settings.limitMs): Promise<Extended> {
    return this.#visibility.extend(delivery, seconds, limitMs);
  }

  /** Whole seconds that this delivery can still be kept from others at most, of the 12 hours. */
  remainingSeconds(delivery: Delivery): number {
    return this.#visibility.remainingSeconds(delivery);
  }

  /**
   * Deletes the message, together with others. What fails for a reason that may pass is tried again.
   *
   * A standard queue says "ok" to a receipt that is not the newest, and may keep the message all the same.
   */
  remove(receipt: string): Promise<Settled> {
    return this.#remover.remove(receipt);
  }

  /** Whether deletes go at once from now on, and those that wait now: no more are to come that could go with them. */
  hurry(isWanted: boolean): void {
    this.#remover.hurry(isWanted);
  }

  /** The message can be received again after so many seconds, cut so that the 12 hours since its receipt hold. */
  release(delivery: Delivery, seconds: number): Promise<Settled> {
    return this.#visibility.release(delivery, seconds);
  }

  /** Sends messages; gives one outcome for each, in order. */
  send(messages: readonly OutgoingMessage[]): Promise<Sent[]> {
    return sendAll(this.#requests, this.address, messages, this.#settings);
  }

  /**
   * Moves the message to the queue's dead letters: a copy with body and attributes, which says the reason if there is
   * room; then the delete. After a try that ended with `copied` the next one, be it for another delivery of the same
   * message, only deletes.
   *
   * @param isCopied for a process that did not see that try itself
   * @param onCopied where that is remembered: waited for when the copy is there, before the delete
   */
  bury(
    message: ReceivedMessage,
    reason: string,
    isCopied = false,
    onCopied: () => Promise<void> = () => Promise.resolve(),
  ): Promise<Buried> {
    return this.#burials.bury(message, reason, isCopied, onCopied);
  }

  /** Deletes what is still to be deleted, then breaks off whatever else is under way. */
  async close(): Promise<void> {
    await this.#remover.drain();
    this.#requests.close();
  }
}
