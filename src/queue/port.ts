import type { Job } from "../store/job.ts";

/** One delivery. */
export interface Message {
  readonly id: string;
  /** Names this delivery; every verb goes by it, never by the message's id. */
  readonly receipt: string;
  readonly receiveCount: number;
  /** The job that it is about, where the queue is the store itself. */
  readonly job: Job;
}

export interface Request {
  /** How many can be started now. */
  readonly max: number;
  /** Whether nothing runs: a job that may have killed its worker is given to an idle one only. */
  readonly idle: boolean;
  /** Definitions that this worker does not take now. */
  readonly without: readonly string[];
}

/**
 * Where work comes from, with the verbs of SQS. "Nothing there" is no error.
 *
 * A receipt that is not ours any more throws {@link LeaseLost}, save where that was settled already.
 */
export interface Queue {
  readonly name: string;
  /**
   * True: recording an attempt's end is telling the queue, since both are one row. False: it is told afterwards.
   */
  readonly recordIsTold: boolean;
  /**
   * Up to `max` messages. `admit` runs for each, in the transaction that makes the message ours or right after it;
   * what it records is on disk when the promise is kept. `request` is asked as late as can be, and both may be
   * called again when a commit has to be repeated.
   */
  receive<T>(request: () => Request, admit: (message: Message, index: number) => T): Promise<T[]>;
  /** The message stays ours for so many milliseconds more. */
  extend(receipt: string, milliseconds: number): Promise<void>;
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

/** The message is another's now, or nobody's: it must not be settled. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
  constructor(receipt: string) {
    super(`the lease of ${receipt} is lost`);
  }
}
