/** Whose the jobs are that nobody in particular made; no user can be called so. */
export const ANONYMOUS = "anonymous";

import type { Network } from "./networks.ts";

/** What proves that somebody is a user: hashes as `reeve hash` makes them. */
export interface User {
  /** Null: there is none. */
  readonly password: string | null;
  readonly tokens: readonly string[];
}

/** The settings of `[service]`. */
export interface ServiceSettings {
  /** Whoever does not say who they are may make jobs, too. */
  readonly anonymous: boolean;
  /** Whose word on how clients know the service is taken, beside that of programs of this machine. */
  readonly proxies: readonly Network[];
  /** Those that are not said are the service's own. */
  readonly limits: ConfiguredLimits;
}

/** Bounds of the service that a configuration may set. */
export interface ConfiguredLimits {
  /** Jobs of one owner that have not ended. */
  readonly jobsPerOwner?: number;
  /** Bytes of a form, without its files. */
  readonly formBytes?: number;
  /** Bytes of a form with its files. */
  readonly uploadBytes?: number;
  /** Values in a form and its query together. */
  readonly formFields?: number;
  /** Milliseconds that a client may let the service wait for what it sends. */
  readonly bodyMs?: number;
  /** Requests that wait for changes at once. */
  readonly waiters?: number;
  /** The same of one owner. */
  readonly waitersPerOwner?: number;
  /** Milliseconds from now for which a client may have a job kept. */
  readonly latestDestructionMs?: number;
  /** Seconds that a job may run whose definition does not say. */
  readonly executionSeconds?: number;
}
