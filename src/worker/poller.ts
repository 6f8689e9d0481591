import { Backoff, POLL_BACKOFF } from "../queue/backoff.ts";
import type { RemoteQueue } from "../queue/port.ts";
import { Gathering } from "./gathering.ts";

/** One queue, as it is polled. */
export class Poller {
  readonly queue: RemoteQueue;
  readonly backoff: Backoff;
  readonly gathering = new Gathering();
  /** Polls under way. */
  underway = 0;
  /** Polls that may be under way together: more when each brings all it can, one when there is nothing. */
  lanes = 1;
  /** Whether the last answer had nothing; null: there was none yet. */
  isEmpty: boolean | null = null;
  notBefore = Number.NEGATIVE_INFINITY;
  /** Whether that was seen by a poll that waited: only such a one asks all servers that a queue is kept on. */
  hasLooked = false;
  /** When its last poll began. */
  begun = Number.NEGATIVE_INFINITY;
  /** What it has had of the slots, or may have by the polls that are under way, by its weight: who has least is next. */
  share = 0;
  failingSince: number | null = null;
  toldAt = Number.NEGATIVE_INFINITY;

  constructor(queue: RemoteQueue, random: () => number) {
    this.queue = queue;
    this.backoff = new Backoff(POLL_BACKOFF, random);
  }
}

export const hasWork = ({ isEmpty }: Poller): boolean => isEmpty === false;

/** Whether it is about to be given more. */
export const isBeingServed = (one: Poller): boolean => hasWork(one) && one.underway > 0 && one.failingSince === null;
