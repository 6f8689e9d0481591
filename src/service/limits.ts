import type { ServiceSettings } from "../config/service-settings.ts";

/** What bounds a service. */
export interface ServiceLimits {
  /** Bytes of a form, without its files. */
  readonly formBytes: number;
  /** Bytes of a form with its files. */
  readonly uploadBytes: number;
  /** Values in a form and its query together. */
  readonly formFields: number;
  /** Milliseconds that a client may let us wait for what it sends, in sum; what it has sent gives it a little more. */
  readonly bodyMs: number;
  /** Jobs of one owner that have not ended. */
  readonly jobsPerOwner: number;
  /** Milliseconds that a request waits for a change: below the time-outs of clients. */
  readonly waitMs: number;
  /** Requests that wait at once. */
  readonly waiters: number;
  /** The same of one owner; so many pages may be looked at by one, too. */
  readonly waitersPerOwner: number;
  /** Pages that are kept true at once. */
  readonly livePages: number;
  /** Milliseconds from now: no client has a job destroyed before, which would be under its own hands. */
  readonly soonestDestructionMs: number;
  /** Milliseconds from now: no client has a job kept longer. */
  readonly latestDestructionMs: number;
  /** Seconds that a job may run whose definition does not say; 0: without end. */
  readonly executionSeconds: number;
  /** Milliseconds that a deletion waits for the end of what it aborts. */
  readonly deletionMs: number;
}

const DAY_MS = 24 * 3600 * 1000;

export const DEFAULT_SERVICE_LIMITS: ServiceLimits = {
  formBytes: 8 * 1024 * 1024,
  uploadBytes: 1024 ** 3,
  formFields: 1000,
  bodyMs: 30_000,
  jobsPerOwner: 1000,
  waitMs: 60_000,
  waiters: 2000,
  waitersPerOwner: 100,
  livePages: 200,
  soonestDestructionMs: 60_000,
  latestDestructionMs: 366 * DAY_MS,
  executionSeconds: 0,
  deletionMs: 5000,
};

/** What bounds a service that is configured so. */
export const limitsOf = ({ limits }: ServiceSettings): ServiceLimits => ({ ...DEFAULT_SERVICE_LIMITS, ...limits });
