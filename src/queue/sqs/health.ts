import type { Clock } from "../../clock.ts";
import type { Failure } from "./outcome.ts";

/** What is asked of SQS, and of S3 where bodies are. */
export type Action =
  | "ReceiveMessage"
  | "ChangeMessageVisibility"
  | "DeleteMessageBatch"
  | "SendMessageBatch"
  | "GetQueueAttributes"
  | "GetQueueUrl"
  | "GetObject"
  | "DeleteObject";

/** One kind of request to one queue, by its name, or to one bucket (`s3://…`). */
export interface Asked {
  readonly action: Action;
  readonly queue: string;
}

/** How it stands with one kind of request. Times are milliseconds since 1970. */
export interface RequestHealth extends Asked {
  readonly lastSuccessAt: number | null;
  readonly lastFailure: { readonly at: number; readonly failure: Failure } | null;
  /** Since when it has only failed; null: it is well. */
  readonly illSince: number | null;
}

/**
 * What became of the requests to a queue and to its dead letter queue. Each kind has a state of its own: a queue that
 * lets itself be polled and refuses deletes is not well.
 */
export class Health {
  readonly #now: Clock["now"];
  readonly #states = new Map<string, RequestHealth>();

  constructor(now: Clock["now"]) {
    this.#now = now;
  }

  /** Of those kinds of requests that were made at all. */
  get requests(): readonly RequestHealth[] {
    return [...this.#states.values()];
  }

  /** Whether anything was answered well so far: before that the queue may never have been there. */
  get hasSucceeded(): boolean {
    return this.requests.some(({ lastSuccessAt }) => lastSuccessAt !== null);
  }

  /** What has been ill longest; null when all is well. */
  get worst(): RequestHealth | null {
    const ill = this.requests.filter(({ illSince }) => illSince !== null);
    return ill.toSorted((a, b) => (a.illSince ?? 0) - (b.illSince ?? 0))[0] ?? null;
  }

  /** @param failure null: there was none. A lost lease or a refused body says nothing against the queue, which answers */
  record(asked: Asked, failure: Failure | null): void {
    const at = this.#now();
    if (failure === null || failure.kind === "lease lost" || failure.kind === "refused") {
      this.#change(asked, { lastSuccessAt: at, illSince: null });
    } else {
      this.#change(asked, { lastFailure: { at, failure }, illSince: this.#of(asked).illSince ?? at });
    }
  }

  #of({ action, queue }: Asked): RequestHealth {
    const unasked = { action, queue, lastSuccessAt: null, lastFailure: null, illSince: null };
    return this.#states.get(`${action} ${queue}`) ?? unasked;
  }

  #change(asked: Asked, change: Partial<RequestHealth>): void {
    this.#states.set(`${asked.action} ${asked.queue}`, { ...this.#of(asked), ...change });
  }
}
