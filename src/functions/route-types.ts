import type { Job, Reject, Release } from "./api.ts";
import type { ExitContext, Message } from "./context.ts";

/** A value for a parameter; a list for one that takes several. */
export type Argument = string | number | boolean | bigint | readonly (string | number | boolean | bigint)[];

/** Which job a message is, and with what. */
export interface RoutedTo {
  /** One that the module exports, or the name of any definition; absent: the job of all messages. */
  readonly job?: Job | string;
  /** By their names; or as `args`. */
  readonly params?: Readonly<Record<string, Argument | null | undefined>> | Argument | readonly Argument[];
  /** In the order in which the job declares its parameters; one value alone is that of the first. */
  readonly args?: Argument | readonly (Argument | null | undefined)[];
  /** What cleans up instead of the job's own `onExit`: an exported function, or another job's; null: nothing. */
  readonly onExit?: Job | ((context: ExitContext<never>) => unknown) | null;
  /** A label of the job. */
  readonly name?: string | null;
}

/** What `route` says of a message; undefined: it is not the module's. */
export type RouteResult = RoutedTo | Job | Argument | readonly Argument[] | Reject | Release | undefined | null;

/** The form of an exported `route`: it is asked whose a message of a queue is. */
export type Route = (message: Message) => RouteResult | void | Promise<RouteResult | void>;
