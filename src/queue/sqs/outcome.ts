/**
 * Why a request, or one entry of a batch, was not done.
 *
 * - `transient`: the same may succeed later (throttled, 5xx, reset, timed out, nonsense, a clock that is wrong);
 * - `fatal`: it will not, before someone changes the queue, the permissions, the credentials or a setting;
 * - `lease lost`: the receipt is not valid any more, the message is another's;
 * - `refused`: this request or entry is wrong in itself (a body with characters that SQS does not take); others are not.
 */
export interface Failure {
  readonly kind: "transient" | "fatal" | "lease lost" | "refused";
  /** What the server, the SDK or the system calls it: `QueueDoesNotExist`, `ECONNRESET`. */
  readonly name: string;
  /** A sentence that says what was asked of which queue, and what came of it. */
  readonly message: string;
  /** What to do about it, where that is known. */
  readonly hint: string | null;
  /** No answer came: the server may have acted all the same, and a message that was to be sent may be there. */
  readonly unanswered: boolean;
}

/** What was asked for, or why it was not had. */
export type Answer<T> = { readonly kind: "ok"; readonly value: T } | Failure;

/** How the settling of one message ended. */
export type Settled = { readonly kind: "ok" } | Failure;

/** How an extension ended; granted are whole seconds, less than was asked for when the 12 hours are near. */
export type Extended = { readonly kind: "ok"; readonly grantedSeconds: number } | Failure;

/** How a move to the dead letters ended. */
export type Buried = {
  /** Whether the dead letter queue has its copy by now; a further try does not make another. */
  readonly copied: boolean;
} & (Settled | { readonly kind: "no dead letter queue"; readonly message: string });

/** How one message of a batch was sent; the id is the server's. */
export type Sent = { readonly kind: "ok"; readonly id: string } | Failure;

export const DONE: Settled = { kind: "ok" };
