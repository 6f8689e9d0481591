const DAY_MS = 24 * 3600 * 1000;

/** Milliseconds that a job which nobody starts is kept, unless its client said otherwise. */
export const UNSTARTED_LIFETIME_MS = 7 * DAY_MS;

/** Milliseconds that a job is kept after its end, unless its client said otherwise. */
export const ENDED_LIFETIME_MS = 7 * DAY_MS;

/** Milliseconds for which a queue may still deliver a message of a forgotten job: SQS keeps one for 14 days at most. */
export const TOMBSTONE_MS = 14 * DAY_MS;
