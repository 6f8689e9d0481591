import type { Clock } from "../clock.ts";
import type { SqsQueueDefinition } from "../config/queue-definition.ts";
import type { Runtime } from "../runtime/port.ts";
import { connect, type ConnectionSettings, type SqsConnection } from "./sqs/connection.ts";

/** What it takes to talk to a queue. */
export interface Connecting {
  readonly clock: Clock;
  readonly runtime: Pick<Runtime, "fetchTrusting">;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Told what the SDK warns of. */
  readonly warn: (what: string) => void;
  /** Where `AWS_…` is read; the SDK's chain of credentials reads the process's own. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Loads the SDK, and makes what is needed to talk to the queue. Whoever asked for it closes it. */
export function connectTo(
  { url, region, endpoint }: Pick<SqsQueueDefinition, "url" | "region" | "endpoint">,
  ports: Connecting,
  more: Pick<ConnectionSettings, "flushDelayMs"> = {},
): Promise<SqsConnection> {
  const { environment } = ports;
  const settings = { ...more, url, environment, ...(region && { region }), ...(endpoint && { endpoint }) };
  return connect(settings, ports);
}
