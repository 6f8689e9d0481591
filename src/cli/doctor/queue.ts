import { systemClock } from "../../clock.ts";
import { DEFAULT_LIMITS, type Configuration, type Definition } from "../../config/definition.ts";
import { formatDuration } from "../../config/durations.ts";
import { leaseProblem } from "../../config/lease.ts";
import type { SqsQueueDefinition } from "../../config/queue-definition.ts";
import { unreachable } from "../../errors.ts";
import type { SqsConnection } from "../../queue/sqs/connection.ts";
import type { QueueFacts, RedrivePolicy } from "../../queue/sqs/facts.ts";
import type { Answer } from "../../queue/sqs/outcome.ts";
import { persist } from "../../queue/sqs/persist.ts";
import { connectTo } from "../queues.ts";
import { counted } from "../render/text.ts";
import { deadLetterChecks } from "./dead-letters.ts";
import { findingOf, note, ok, wrong, type Check, type Finding, type Looked } from "./finding.ts";
import { permissionChecks, refused } from "./queue-permissions.ts";

/** For how long a queue that does not answer is asked again, in milliseconds. */
const PATIENCE_MS = 10_000;

/** With fewer deliveries, a deploy or a lost answer or two make a dead letter of a job that has not failed. */
const LEAST_RECEIVES = 3;

/** SQS keeps no message from others for longer. */
const LONGEST_LEASE_MS = 43_200_000;

/** A clock that is so far off is one that nobody sets. AWS takes signatures that are 15 min off, and knows no more. */
const CLOCK_NOTED_MS = 60_000;
const CLOCK_WRONG_MS = 300_000;

/** What a worker needs of an SQS queue. Nothing is sent or deleted; what a poll brings is released at once. */
export async function queueFindings(definition: SqsQueueDefinition, configuration: Configuration): Promise<Finding[]> {
  let connection: SqsConnection;
  try {
    connection = await connectTo(definition);
  } catch (error) {
    return [await findingOf({ name: "queue", look: () => Promise.reject(error) })];
  }
  try {
    const facts = await askedAgain(connection);
    const findings: Finding[] = [];
    for (const check of checksFor(connection, facts, definition, configuration)) findings.push(await findingOf(check));
    return findings;
  } finally {
    await connection.close();
  }
}

async function askedAgain(connection: SqsConnection): Promise<Answer<QueueFacts>> {
  const ports = { clock: systemClock, random: Math.random };
  const [answer] = await persist([connection], PATIENCE_MS, ports, async () => [await connection.facts()]);
  if (!answer) throw new Error("the queue was asked, and no answer told");
  return answer;
}

function checksFor(
  connection: SqsConnection,
  facts: Answer<QueueFacts>,
  definition: SqsQueueDefinition,
  configuration: Configuration,
): Check[] {
  const clock: Check = { name: "queue: clock", look: () => lookAtClock(connection.clockOffsetMs) };
  // Whatever else is asked of a queue that is out of reach fails in the same way.
  if (facts.kind !== "ok") return [{ name: "queue", look: () => refused(facts) }, clock];
  const jobs = definitionsFor(definition, configuration);
  const { redrive } = facts.value;
  return [
    { name: "queue", look: () => lookAtQueue(connection, facts.value) },
    ...permissionChecks(connection, facts.value),
    { name: "queue: policy", look: () => lookAtPolicy(redrive) },
    ...deadLetterChecks(connection, facts.value),
    { name: "queue: attempts", look: () => lookAtAttempts(jobs, redrive) },
    { name: "queue: timeouts", look: () => lookAtTimeouts(jobs) },
    { name: "queue: lease", look: () => lookAtLease(jobs, definition) },
    clock,
  ];
}

/** Those that its messages may be for. */
function definitionsFor({ job }: SqsQueueDefinition, { definitions }: Configuration): Definition[] {
  return [...definitions.values()].filter(({ name }) => job === null || name === job);
}

async function lookAtQueue(connection: SqsConnection, { redrive }: QueueFacts): Promise<Looked> {
  const { accessKeyId, region, endpoint } = await connection.caller();
  const caller = `${accessKeyId.slice(0, 4)}…${accessKeyId.slice(-4)}`;
  const what = `${connection.address.url} in ${region}, asked with the key ${caller}${endpoint === null ? "" : ` at ${endpoint}`}`;
  if (redrive.kind !== "unknown") return ok(what);
  return note(`${what}; ${redrive.why}`, "the policy has to allow sqs:GetQueueAttributes, else retries are assumed");
}

function lookAtPolicy(redrive: RedrivePolicy): Looked {
  switch (redrive.kind) {
    case "none":
      return note("none: what fails is tried again for ever", `a redrive policy with a maxReceiveCount; ${ENOUGH}`);
    case "unknown":
      return note("it cannot be read, so it is taken to give messages back");
    case "malformed":
      return wrong(redrive.why);
    case "set": {
      const { maxReceiveCount, deadLetterArn } = redrive;
      const what = `a message is delivered ${counted(maxReceiveCount, "time")}, then goes to ${deadLetterArn}`;
      if (maxReceiveCount >= LEAST_RECEIVES) return ok(what);
      return note(`${what}: what a deploy puts back may be there without having failed`, ENOUGH);
    }
    default:
      return unreachable(redrive);
  }
}

const ENOUGH = `${LEAST_RECEIVES} or more leave room for deploys and lost answers`;

function lookAtAttempts(jobs: readonly Definition[], redrive: RedrivePolicy): Looked {
  if (redrive.kind !== "set") return ok("as each definition says");
  const { maxReceiveCount } = redrive;
  const more = jobs.filter(({ limits }) => (limits.maxAttempts ?? 0) > maxReceiveCount);
  if (more.length === 0) return ok("no definition wants more than the queue gives");
  const names = more.map(({ name, limits }) => `${name} (${limits.maxAttempts})`).join(", ");
  const what = `the queue gives a message up after ${counted(maxReceiveCount, "receive")}, before the \`max_attempts\` of ${names}`;
  return note(what, "a higher maxReceiveCount, or a lower `max_attempts`");
}

function lookAtTimeouts(jobs: readonly Definition[]): Looked {
  const long = jobs.filter(({ limits }) => longestRunMs(limits) > LONGEST_LEASE_MS).map(({ name }) => name);
  if (long.length === 0) return ok("SQS keeps a message for 12h after its receipt, and no definition sets more");
  const what = `${long.join(", ")} may run for longer than the 12h that SQS keeps a message after its receipt`;
  return note(what, "it is stopped before they are over, and put back: split such jobs, or give them another queue");
}

/** What is set of it; without any limit nobody has said that it will take so long. */
function longestRunMs({ timeoutMs, executionDuration }: Definition["limits"]): number {
  const wholeMs = executionDuration === 0 ? Number.POSITIVE_INFINITY : executionDuration * 1000;
  return timeoutMs === null && executionDuration === 0 ? 0 : Math.min(timeoutMs ?? wholeMs, wholeMs);
}

function lookAtLease(jobs: readonly Definition[], { visibilityMs, beatMs }: SqsQueueDefinition): Looked {
  const limits = jobs.length === 0 ? [{ name: "", limits: DEFAULT_LIMITS }] : jobs;
  for (const {
    name,
    limits: { graceMs },
  } of limits) {
    const problem = leaseProblem({ visibilityMs, beatMs, graceMs });
    if (problem !== null) return wrong(`${name === "" ? "" : `jobs.${name}: `}${problem.replace(/\.$/, "")}`);
  }
  return ok(`${formatDuration(visibilityMs)}, renewed every ${formatDuration(beatMs ?? visibilityMs / 3)}`);
}

function lookAtClock(offsetMs: number): Looked {
  const off = Math.abs(offsetMs);
  if (off < CLOCK_NOTED_MS) return ok("this machine's and the queue's agree");
  const what = `this machine's is ${formatDuration(off)} ${offsetMs > 0 ? "behind" : "ahead of"} the queue's`;
  return off < CLOCK_WRONG_MS ? note(what, SET_CLOCK) : wrong(what, SET_CLOCK);
}

const SET_CLOCK = "set the clock (NTP): signatures, delays and dates go by it";
