import type { Delivery } from "../../../src/queue/sqs/message.ts";
import { SqsConnection } from "../../../src/queue/sqs/connection.ts";
import { DONE } from "../../../src/queue/sqs/outcome.ts";
import { QueuePolicy } from "../../../src/queue/sqs-policy.ts";
import { SqsQueue } from "../../../src/queue/sqs-queue.ts";
import { ActiveJob } from "../../../src/worker/active-job.ts";
import { Lease } from "../../../src/worker/lease.ts";
import { Life } from "../life.ts";
import { Stop } from "../../../src/worker/stop.ts";
import { replace } from "../mutations.ts";

/** Ways to break what is simulated, and the checks of which one must notice it: else they check nothing. */
export const SQS_MUTATIONS = [
  { name: "what is run is given out again", noticedBy: "no message runs beside itself on one store" },
  { name: "what was decided is forgotten", noticedBy: "what was decided is not run again" },
  { name: "messages of a group come together", noticedBy: "a group is worked on in order" },
  { name: "a beat goes beside the verdict", noticedBy: "no two requests about one delivery are under way together" },
  { name: "a beat goes after the verdict", noticedBy: "nothing is asked about a delivery that is settled" },
  {
    name: "a lease is taken for longer than it is",
    noticedBy: "nothing is asked about a delivery whose lease is lost",
  },
  { name: "leases are not kept", noticedBy: "a lease is not outlived" },
  {
    name: "leases are counted by a clock that sleeps",
    noticedBy: "nothing is asked about a delivery whose lease is lost",
  },
  { name: "what was lost has time to end", noticedBy: "what was lost while nobody looked is ended at once" },
  { name: "a lost lease is taken for a timeout", noticedBy: "no exit handler after a lost lease" },
  { name: "what is to be put back is deleted", noticedBy: "nothing is deleted without a verdict that says so" },
  { name: "what is to be put back is kept", noticedBy: "a stop puts back what it had" },
  { name: "what is to be buried is kept", noticedBy: "nothing that was run is given up without a reason" },
  { name: "no delivery is the last", noticedBy: "nothing is put back on its last delivery" },
  { name: "some messages are never deleted", noticedBy: "every message comes to rest" },
  { name: "that there is a copy is forgotten", noticedBy: "a dead letter is copied once" },
  { name: "dead letters are empty", noticedBy: "a dead letter is what its message was" },
  { name: "a stop gives all the time", noticedBy: "a stop keeps to its budget" },
] as const satisfies readonly { readonly name: string; readonly noticedBy: string }[];

export type SqsMutation = (typeof SQS_MUTATIONS)[number]["name"];

const BY_MESSAGE = "FROM jobs INDEXED BY jobs_message";
const CLAIMABLE = "AND (phase = 'QUEUED' OR (phase = 'UNKNOWN' AND worker IS NULL))";

/** The newest job of a message, as if it were in another phase. */
function inAnotherPhase(sql: string, from: string): string {
  if (sql.includes(BY_MESSAGE)) return sql.replace(" phase,", ` iif(phase IN (${from}), 'QUEUED', phase) AS phase,`);
  return sql.replace(CLAIMABLE, "");
}

export function rewriting(mutation: SqsMutation | null): (sql: string) => string {
  switch (mutation) {
    case "what is run is given out again":
      return (sql) => inAnotherPhase(sql, "'EXECUTING', 'SUSPENDED'");
    case "what was decided is forgotten":
      return (sql) => inAnotherPhase(sql, "'COMPLETED', 'ERROR', 'ABORTED'");
    case "that there is a copy is forgotten":
      return (sql) => sql.replace("SET copied = 1", "SET copied = 0");
    default:
      return (sql) => sql;
  }
}

/** Breaks the worker itself, until what this gives is called. */
export function breakWorker(mutation: SqsMutation | null): () => void {
  switch (mutation) {
    case "messages of a group come together":
      return replace(SqsQueue.prototype, "mostAtOnce", { get: () => 10 });
    case "a beat goes beside the verdict":
      return replace(SqsConnection.prototype, "remove", { value: withBeat(SqsConnection.prototype.remove) });
    case "a beat goes after the verdict":
      return replace(SqsConnection.prototype, "release", { value: thenBeat(SqsConnection.prototype.release) });
    case "a lease is taken for longer than it is":
      return replace(SqsQueue.prototype, "extend", { value: boasting(SqsQueue.prototype.extend) });
    case "leases are not kept":
      return replace(Lease.prototype, "look", { value: () => {} });
    case "leases are counted by a clock that sleeps":
      return replace(Life.prototype, "boottime", { value: Life.prototype.monotonic });
    case "what was lost has time to end":
      return replace(ActiveJob.prototype, "kill", { value: exceptLost(ActiveJob.prototype.kill) });
    case "a lost lease is taken for a timeout":
      return both(
        replace(ActiveJob.prototype, "end", { value: asTimeout(ActiveJob.prototype.end) }),
        replace(Lease.prototype, "isGivenUp", { get: () => false }),
      );
    case "what is to be put back is deleted":
      return replace(SqsQueue.prototype, "release", { value: SqsQueue.prototype.acknowledge });
    case "what is to be put back is kept":
      return replace(SqsQueue.prototype, "release", { value: () => Promise.resolve() });
    case "what is to be buried is kept":
      return replace(SqsQueue.prototype, "bury", { value: () => Promise.resolve() });
    case "no delivery is the last":
      return replace(QueuePolicy.prototype, "isLast", { value: () => false });
    case "some messages are never deleted":
      return replace(SqsConnection.prototype, "remove", { value: sometimes(SqsConnection.prototype.remove) });
    case "that there is a copy is forgotten":
      return replace(SqsConnection.prototype, "bury", { value: forgetful(SqsConnection.prototype.bury) });
    case "dead letters are empty":
      return replace(SqsConnection.prototype, "bury", { value: emptied(SqsConnection.prototype.bury) });
    case "a stop gives all the time":
      return both(
        replace(Stop.prototype, "isOverdue", { get: () => false }),
        replace(Stop.prototype, "graceLeftMs", { get: () => Number.POSITIVE_INFINITY }),
      );
    default:
      return () => {};
  }
}

type Extend = SqsQueue["extend"];
type Remove = SqsConnection["remove"];
type Release = SqsConnection["release"];
type Bury = SqsConnection["bury"];
type End = ActiveJob["end"];

const both = (one: () => void, other: () => void) => (): void => {
  one();
  other();
};

/** Of a quarter of all messages it is only said. */
const sometimes = (remove: Remove) =>
  function removeSome(this: SqsConnection, receipt: string): ReturnType<Remove> {
    return /^[0-3]/.test(receipt) ? Promise.resolve(DONE) : remove.call(this, receipt);
  };

const boasting = (extend: Extend) =>
  async function extendAndBoast(this: SqsQueue, receipt: string, milliseconds: number): ReturnType<Extend> {
    return (await extend.call(this, receipt, milliseconds)) + 60_000;
  };

const withBeat = (remove: Remove) =>
  function removeBesideBeat(this: SqsConnection, receipt: string): ReturnType<Remove> {
    void this.extend({ receipt, receivedAt: 0 }, 30);
    return remove.call(this, receipt);
  };

/** When everybody has heard of its end. */
const thenBeat = (release: Release) =>
  async function releaseBeforeBeat(this: SqsConnection, delivery: Delivery, seconds: number): ReturnType<Release> {
    const released = await release.call(this, delivery, seconds);
    setImmediate(() => void this.extend(delivery, seconds));
    return released;
  };

const exceptLost = (kill: ActiveJob["kill"]) =>
  function killUnlessLost(this: ActiveJob): void {
    if (this.cause !== "lease lost") kill.call(this);
  };

const asTimeout = (end: End) =>
  function endForTime(this: ActiveJob, ...[cause, by]: Parameters<End>): boolean {
    return end.call(this, cause === "lease lost" ? "timeout" : cause, by);
  };

/** Its copy is made, its message stays, and nobody remembers. */
const forgetful = (bury: Bury) =>
  function buryAnew(this: SqsConnection, ...[message, reason, , onCopied]: Parameters<Bury>): ReturnType<Bury> {
    const another = { ...message, receipt: "nobody's", id: `again ${message.receipt}` };
    return bury.call(this, another, reason, false, onCopied);
  };

const emptied = (bury: Bury) =>
  function buryEmpty(this: SqsConnection, ...[message, ...how]: Parameters<Bury>): ReturnType<Bury> {
    return bury.call(this, { ...message, body: "nothing" }, ...how);
  };
