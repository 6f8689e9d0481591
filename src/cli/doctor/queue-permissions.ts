import { systemClock } from "../../clock.ts";
import { unreachable } from "../../errors.ts";
import type { SqsConnection } from "../../queue/sqs/connection.ts";
import type { QueueFacts } from "../../queue/sqs/facts.ts";
import type { Delivery } from "../../queue/sqs/message.ts";
import type { Failure, Settled } from "../../queue/sqs/outcome.ts";
import { note, ok, wrong, type Check, type Looked } from "./finding.ts";

/** For how long what a poll brings is kept from others, in seconds, unless it can be released at once. */
const GLANCE_SECONDS = 5;

/** A receipt that no server has given: whoever may use receipts is told that this is none. */
const NO_RECEIPT = "no-receipt";

/** What has to be allowed of the queue itself. */
export function permissionChecks(connection: SqsConnection, facts: QueueFacts): Check[] {
  return [
    { name: "queue: receive", look: () => lookAtReceiving(connection, facts) },
    {
      name: "queue: extend",
      look: async () => judged(await connection.extend(noDelivery(), 1), "a lease can be extended"),
    },
    { name: "queue: delete", look: async () => judged(await connection.remove(NO_RECEIPT), "messages can be deleted") },
  ];
}

const noDelivery = (): Delivery => ({ receipt: NO_RECEIPT, receivedAt: systemClock.boottime() });

export const refused = ({ message, hint }: Failure): Looked => wrong(message, hint ?? undefined);

async function lookAtReceiving(connection: SqsConnection, { redrive }: QueueFacts): Promise<Looked> {
  if (redrive.kind === "set" && redrive.maxReceiveCount === 1) {
    return note("not tried: with a maxReceiveCount of 1 a message that it brought would be a dead letter");
  }
  const polled = await connection.receive(1, 0, GLANCE_SECONDS);
  if (polled.kind !== "ok") return refused(polled);
  const [message] = polled.value;
  if (!message) return ok("the queue can be polled");
  const released = await connection.release(message, 0);
  const what = "the queue can be polled; a message that came was released, and counts one receive more";
  if (redrive.kind === "set" && (message.receiveCount ?? 0) >= redrive.maxReceiveCount) {
    return note(
      `${what}; it was at its last, so that SQS makes a dead letter of it`,
      "`reeve dead list` shows it then",
    );
  }
  if (released.kind === "ok") return ok(what);
  return note(`${what} and comes back after ${GLANCE_SECONDS} s: ${released.message}`);
}

/** What a server says to a receipt that is none tells whether it heeds those that are. */
function judged(outcome: Settled, allowed: string): Looked {
  switch (outcome.kind) {
    case "lease lost":
    case "refused":
      return ok(allowed);
    case "ok":
      return note("it cannot be told: this server says yes to any receipt");
    case "transient":
    case "fatal":
      return refused(outcome);
    default:
      return unreachable(outcome);
  }
}
