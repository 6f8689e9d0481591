import type * as ClientSqs from "@aws-sdk/client-sqs";
import type { SQSClient } from "@aws-sdk/client-sqs";
import type { Clock } from "../../clock.ts";
import { isUnknownCaller } from "./error-names.ts";
import { CLOSED, failureOf, Unanswered } from "./failures.ts";
import type { Asked, Health } from "./health.ts";
import type { Answer, Failure } from "./outcome.ts";

export type Sdk = typeof ClientSqs;

/** What a request is sent with. */
export interface Sender {
  readonly sdk: Sdk;
  readonly client: SQSClient;
  readonly options: { readonly abortSignal: AbortSignal };
}

/** By whom and where requests are sent. */
export interface Caller {
  readonly accessKeyId: string;
  readonly region: string;
  /** Null: the region's own. */
  readonly endpoint: string | null;
}

/** Sends requests, each once and each with a time limit, and records what became of them. */
export class Requests {
  readonly health: Health;
  readonly #sdk: Sdk;
  readonly #client: SQSClient;
  readonly #clock: Clock;
  /** Ends each request that waits for its answer. */
  readonly #ends = new Set<(error: Error) => void>();
  #isClosed = false;
  #hasStaleCredentials = false;

  constructor(sdk: Sdk, client: SQSClient, { health, clock }: { health: Health; clock: Clock }) {
    this.health = health;
    this.#sdk = sdk;
    this.#client = client;
    this.#clock = clock;
  }

  /**
   * @param limitMs after so many milliseconds it has failed, whatever it is that does not come: credentials, a
   * connection, the answer's first byte or its last
   * @param send sends the request
   * @param complaint what is wrong with an answer that came with a status of success: for the records only
   */
  async ask<T>(
    asked: Asked,
    limitMs: number,
    send: (sender: Sender) => Promise<T>,
    complaint: (value: T) => Failure | null = () => null,
  ): Promise<Answer<T>> {
    try {
      const value = await this.#within(limitMs, send);
      this.health.record(asked, complaint(value));
      return { kind: "ok", value };
    } catch (error) {
      const failure = failureOf(error, asked);
      // Someone may log in again, or write new keys, while this process runs.
      this.#hasStaleCredentials ||= isUnknownCaller(failure);
      this.health.record(asked, failure);
      return failure;
    }
  }

  async #within<T>(limitMs: number, send: (sender: Sender) => Promise<T>): Promise<T> {
    const limit = new AbortController();
    const late = Promise.withResolvers<never>();
    const end = (error: Error): void => {
      limit.abort(error);
      late.reject(error);
    };
    const cancel = this.#clock.after(limitMs, () =>
      end(new Unanswered("TimeLimit", `no answer within ${limitMs / 1000} s`)),
    );
    this.#ends.add(end);
    try {
      if (this.#isClosed) throw new Unanswered(CLOSED, "the connection was closed");
      if (limitMs <= 0) throw new Unanswered("TimeLimit", "no time was left to ask");
      // The SDK heeds the signal while it waits for an answer, not while it waits for credentials.
      return await Promise.race([late.promise, this.#send(limit.signal, send)]);
    } finally {
      cancel();
      this.#ends.delete(end);
    }
  }

  async #send<T>(abortSignal: AbortSignal, send: (sender: Sender) => Promise<T>): Promise<T> {
    if (this.#hasStaleCredentials) {
      this.#hasStaleCredentials = false;
      await this.#client.config.credentials({ forceRefresh: true });
    }
    return send({ sdk: this.#sdk, client: this.#client, options: { abortSignal } });
  }

  /** As the SDK has found it. @throws Error where it has not found all of it */
  async caller(): Promise<Caller> {
    const { credentials, region, endpoint } = this.#client.config;
    const given = await endpoint?.();
    return {
      accessKeyId: (await credentials()).accessKeyId,
      region: await region(),
      endpoint: given ? `${given.protocol}//${given.hostname}${given.port ? `:${given.port}` : ""}` : null,
    };
  }

  /** By how many milliseconds the server's clock was ahead of this machine's when it last answered; 0 before that. */
  get clockOffsetMs(): number {
    return this.#client.config.systemClockOffset;
  }

  /** What is still waiting for an answer fails, and so does what is asked from now on. */
  close(): void {
    this.#isClosed = true;
    for (const end of this.#ends) end(new Unanswered(CLOSED, "the connection was closed"));
    this.#client.destroy();
  }
}
