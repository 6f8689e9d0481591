/** What bounds a service. */
export interface ServiceLimits {
  /** Bytes of a form. */
  readonly formBytes: number;
  /** Values in a form and its query together. */
  readonly formFields: number;
  /** Milliseconds that a request waits for a change: below the time-outs of clients. */
  readonly waitMs: number;
  /** Requests that wait at once. */
  readonly waiters: number;
  /** Milliseconds from now: no client has a job destroyed before, which would be under its own hands. */
  readonly soonestDestructionMs: number;
  /** Milliseconds from now: no client has a job kept longer. */
  readonly latestDestructionMs: number;
  /** Milliseconds that a deletion waits for the end of what it aborts. */
  readonly deletionMs: number;
}

const DAY_MS = 24 * 3600 * 1000;

export const DEFAULT_SERVICE_LIMITS: ServiceLimits = {
  formBytes: 8 * 1024 * 1024,
  formFields: 1000,
  waitMs: 60_000,
  waiters: 2000,
  soonestDestructionMs: 60_000,
  latestDestructionMs: 366 * DAY_MS,
  deletionMs: 5000,
};
