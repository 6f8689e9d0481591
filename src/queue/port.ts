import type { Job } from "../store/job.ts";

/** One delivery. */
export interface Message {
  readonly id: string;
  /** Names this delivery; every verb goes by it, never by the message's id. */
  readonly receipt: string;
  /** This delivery counted; 0: the queue does not count. */
  readonly receiveCount: number;
  /** The job that it is about. */
  readonly job: Job;
  /** Why it can never be run, where the message itself tells; null: nothing is known against it. */
  readonly rejected: string | null;
  /** Put back, it would not be delivered again: its queue would give it up without a reason. */
  readonly isLast: boolean;
  /** By the clock that runs while the machine sleeps: it is ours until then, unless it is extended. */
  readonly leasedUntil: number;
  /** What becomes of it when its job is given up: the queue may have no place for dead letters. */
  readonly ifGivenUp: "bury" | "leave" | "delete";
}

/** Why a message is given up that would only be put back. */
export const wasLast = (why: string, { receiveCount }: { readonly receiveCount: number | null }): string =>
  `${why}; delivery ${receiveCount} was the last that its queue allows`;

/** What holds of a message that is the store's own. */
export const OWN = {
  rejected: null,
  isLast: false,
  leasedUntil: Number.POSITIVE_INFINITY,
  ifGivenUp: "bury",
} as const;

/** Starts without an ending after which a job may be what kills its workers. */
export const SUSPECT_FROM = 2;

export interface Request {
  /** How many can be started now. */
  readonly max: number;
  /** Whether nothing runs: a job that may have killed its worker is given to an idle one only. */
  readonly idle: boolean;
  /** Definitions that this worker does not take now. */
  readonly without: readonly string[];
  /** A queue elsewhere waits no longer for a first message, in whole seconds; absent: as long as it pleases. */
  readonly waitSeconds?: number;
}

/** What could not be buried is tried again so much later: its queue gives it out again for ever. */
export const BURY_AGAIN_MS = 900_000;

/** The lease of a queue elsewhere: a span of time. All in milliseconds. */
export interface Terms {
  /** A message is ours for so long after it was received or extended. */
  readonly visibilityMs: number;
  /** Between extensions, at most. */
  readonly beatMs: number;
}

/**
 * Where work comes from, with the verbs of SQS. "Nothing there" is no error.
 *
 * A receipt that is not ours any more throws {@link LeaseLost}, save where that was settled already. What fails for
 * other reasons throws {@link QueueTrouble}.
 */
export interface Queue {
  readonly name: string;
  /**
   * Null: a message is ours as long as the worker lives, and recording an attempt's end is telling the queue, since
   * both are one row. Else the queue is told afterwards, and has to be told now and then that we go on.
   */
  readonly terms: Terms | null;
  /**
   * Up to `max` messages. `admit` runs for each, in the transaction that makes the message ours or right after it;
   * what it records is on disk when the promise is kept. `request` is asked as late as can be, and both may be
   * called again when a commit has to be repeated.
   */
  receive<T>(request: () => Request, admit: (message: Message, index: number) => T): Promise<T[]>;
  /** The message stays ours for so many milliseconds more; gives for how many, which may be fewer. */
  extend(receipt: string, milliseconds: number): Promise<number>;
  acknowledge(receipt: string): Promise<void>;
  /** Gives the message back, to be received again after so many milliseconds. */
  release(receipt: string, delayMs: number): Promise<void>;
  /** Moves the message to the dead letters. */
  bury(receipt: string, reason: string): Promise<void>;
  /** When something will be due that is not yet, in milliseconds since 1970; null: nothing that it knows of. */
  nextDue(): number | null;
  /** Whether nothing is left to wait for but what a user delayed or held. */
  isDrained(): boolean;
}

/** A queue that other machines work on as well: to receive takes time, and a lease runs out. */
export interface RemoteQueue extends Queue {
  readonly terms: Terms;
  /** Its share of the slots, beside other queues' weights. */
  readonly weight: number;
  /** Messages that one poll brings at most. */
  readonly mostAtOnce: number;
  /** Milliseconds after which what is put back at a stop is seen by nobody who is stopping, too. */
  readonly putBackMs: number;
  /** The message has come again: this receipt is the one that counts now. */
  renew(receipt: string, newer: string): void;
  /** Whether what it is told goes out at once: until then it may wait a moment for what could go along. */
  hurry(isWanted: boolean): void;
  /** Breaks off what is under way, after what is still to be told has been told. */
  close(): Promise<void>;
}

export const isRemote = (queue: Queue): queue is RemoteQueue => queue.terms !== null;

/** The message is another's now, or nobody's: it must not be settled. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
  constructor(receipt: string) {
    super(`the lease of ${receipt} is lost`);
  }
}

/** A queue elsewhere did not do what it was asked. */
export class QueueTrouble extends Error {
  override readonly name = "QueueTrouble";
  /**
   * - `transient`: the same may succeed later;
   * - `fatal`: not before someone changes the queue, the permissions or a setting;
   * - `refused`: this message cannot be dealt with in this way, others can.
   */
  readonly kind: "transient" | "fatal" | "refused";
  readonly hint: string | null;

  constructor(kind: QueueTrouble["kind"], message: string, hint: string | null = null) {
    super(message);
    this.kind = kind;
    this.hint = hint;
  }
}
