import { formatDuration } from "../../config/durations.ts";
import { unreachable } from "../../errors.ts";
import { isAmazons } from "../../queue/sqs/address.ts";
import type { SqsConnection } from "../../queue/sqs/connection.ts";
import type { DeadLetterQueue } from "../../queue/sqs/dead-letters.ts";
import type { QueueFacts } from "../../queue/sqs/facts.ts";
import type { Answer } from "../../queue/sqs/outcome.ts";
import { note, ok, wrong, type Check, type Looked } from "./finding.ts";
import { refused } from "./queue-permissions.ts";

type Found = Extract<DeadLetterQueue, { kind: "found" }>;

/** The queue that the redrive policy names, if it names one. */
export function deadLetterChecks(connection: SqsConnection, facts: QueueFacts): Check[] {
  if (facts.redrive.kind !== "set") return [];
  let asked: Promise<Answer<DeadLetterQueue>> | undefined;
  const withQueue =
    (look: (queue: Found) => Promise<Looked>): Check["look"] =>
    async () => {
      const answer = await (asked ??= connection.deadLetterQueue(facts));
      if (answer.kind !== "ok") return refused(answer);
      return answer.value.kind === "none" ? wrong(answer.value.message) : look(answer.value);
    };
  return [
    { name: "queue: dead letters", look: withQueue((queue) => lookAtQueue(connection, facts, queue)) },
    { name: "queue: bury", look: withQueue((queue) => lookAtBurying(connection, queue)) },
  ];
}

async function lookAtQueue(connection: SqsConnection, source: QueueFacts, { name, url }: Found): Promise<Looked> {
  const letters = connection.beside(url);
  const asked = await letters.facts();
  if (asked.kind !== "ok") return refused(asked);
  const { isFifo, retentionSeconds: kept } = asked.value;
  if (isFifo !== source.isFifo) {
    const [kind, other] = isFifo ? ["FIFO", "standard"] : ["standard", "FIFO"];
    return wrong(`${name} is a ${kind} queue, and cannot have the dead letters of a ${other} one`);
  }
  if (kept === null || source.retentionSeconds === null) return note(`${name}; how long it keeps them is not known`);
  const what = `${name} keeps them for ${days(kept)}`;
  if (kept >= source.retentionSeconds) return ok(what);
  const shorter = `${what}, and the queue its messages for ${days(source.retentionSeconds)}`;
  return note(
    `${shorter}: what SQS itself moves is as old there as it was`,
    "a MessageRetentionPeriod of 14 days there",
  );
}

const days = (seconds: number): string => formatDuration(seconds * 1000);

/**
 * A message that SQS takes from nobody, for its character and its delay: where sending is allowed, that is what it is
 * refused for. What a server that only speaks as SQS does would take is not known.
 */
async function lookAtBurying(connection: SqsConnection, { name, url, isFifo }: Found): Promise<Looked> {
  if (!isAmazons({ url })) return note("it cannot be told without sending a message: this server is not Amazon's");
  const unsendable = { body: "\u0001", delaySeconds: 901, ...(isFifo && { groupId: "none", deduplicationId: "none" }) };
  const [outcome] = await connection.beside(url).send([unsendable]);
  if (!outcome) throw new Error("one message was sent, and no outcome told");
  switch (outcome.kind) {
    case "refused":
      return ok(`${name} would take them`);
    case "ok":
      return note(`the server took what SQS refuses: the message ${outcome.id} is now in ${name}`, "delete it");
    case "lease lost":
    case "transient":
    case "fatal":
      return refused(outcome);
    default:
      return unreachable(outcome);
  }
}
