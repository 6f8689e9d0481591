import type { Body } from "./message-body.ts";
import type { Incoming } from "./routing.ts";

/** A message that a module's `route` is asked about. */
export interface AskedMessage extends Incoming {
  readonly id: string;
  readonly body: Body;
  /** How often it was delivered; null: that is not counted. */
  readonly receiveCount: number | null;
}

/** One value for a parameter as texts: several where it is a list; null: nothing that a parameter can be. */
export type RoutedValue = readonly string[] | null;

/** The job that a module's `route` has chosen. */
export interface RoutedJob {
  readonly kind: "job";
  /** How the module is called in sentences. */
  readonly source: string;
  /** Null: it has only said what its parameters are. */
  readonly definition: string | null;
  /** By their names. */
  readonly params: readonly (readonly [name: string, value: RoutedValue])[];
  /** In the order in which the job declares them. */
  readonly args: readonly RoutedValue[];
  /** The export of the module that cleans up after it; null: none does; undefined: its own. */
  readonly onExit: string | null | undefined;
  /** A label of the job; null: none. */
  readonly label: string | null;
}

/** What a module's `route` has said of a message. */
export type RouteAnswer =
  | RoutedJob
  /** Nothing: others may know whose it is. */
  | { readonly kind: "not ours" }
  /** It can never be run. */
  | { readonly kind: "rejected"; readonly reason: string }
  /** Not now. */
  | { readonly kind: "put back"; readonly why: string; readonly delayMs: number }
  /** It could not say. */
  | { readonly kind: "undecided"; readonly why: string };

/** The `route` functions of the modules of jobs that a worker was given. */
export interface MessageRoutes {
  /** How they are called in sentences. */
  readonly names: readonly string[];
  /**
   * Never rejected. Messages are asked about one after the other.
   *
   * @param hasDefault whether there is a job for what it names none for
   */
  decide(message: AskedMessage, hasDefault: boolean): Promise<RouteAnswer>;
  /** How many messages may be taken together now: fewer, when many in a row could not be decided. */
  readonly mayTake: number;
  /** Why many in a row could not be; null: it is not so. */
  readonly trouble: string | null;
  /** Calls back when one of these two has changed; gives the way to stop that. */
  onChange(changed: () => void): () => void;
}

/** What such functions let the worker's log know. */
export type RouteEvent =
  | { readonly type: "module said"; readonly module: string; readonly said: string }
  | { readonly type: "routing failed"; readonly why: string; readonly forMs: number }
  | { readonly type: "routing healed" };
