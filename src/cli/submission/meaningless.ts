import { usageError } from "../../errors.ts";
import { nameOfLimit } from "./limits.ts";
import type { JobRequest } from "./request.ts";

/** An option that one kind of queue has no use for: whether it was given, why it cannot be had, what works instead. */
type Refusal = readonly [name: string, isGiven: (request: JobRequest) => boolean, reason: string, instead: string];

const IN_DEFINITION = "set it in the worker's reeve.toml, where the definition is";
const BY_WORKER = "how a job runs is for its worker to say";

/** In the order in which they are told. */
const ON_SQS: readonly Refusal[] = [
  [
    "-- COMMAND",
    ({ command }) => command !== null,
    "no command ever comes over a wire",
    "define it in the worker's reeve.toml and submit its name; or send --body to `reeve work --queue … -- COMMAND`",
  ],
  [
    "file",
    ({ files }) => files.length > 0,
    "a path means nothing on another host",
    "put the file where the worker can get it, and send its name as a text",
  ],
  [
    "after",
    ({ after }) => after.length > 0,
    "SQS knows nothing of jobs that wait for others",
    "the first job can submit the second when it is done; a FIFO queue keeps the order within a `group`",
  ],
  ["name", ({ name }) => name !== null, "it is for `after`, which SQS does not know", "leave it out"],
  [
    "hold",
    ({ hold }) => hold,
    "SQS keeps no message back until it is asked for",
    "`delay` does so for up to 15 minutes",
  ],
  [
    "priority",
    ({ priority }) => priority !== null,
    "SQS has no priorities",
    "a queue for each, with weights in the worker's reeve.toml",
  ],
  [
    "expires",
    ({ expiresMs }) => expiresMs !== null,
    "SQS drops what is older than the queue's MessageRetentionPeriod, and nothing else",
    "send the time as a parameter, for the job to look at",
  ],
  ["run-id", ({ runId }) => runId !== null, "a message has no such label", "an `attribute` names what you like"],
  ["execution-duration", ({ executionDurationMs }) => executionDurationMs !== null, BY_WORKER, IN_DEFINITION],
  ["env", ({ environment }) => Object.keys(environment).length > 0, BY_WORKER, IN_DEFINITION],
  ["secret-env", ({ secretEnvironment }) => Object.keys(secretEnvironment).length > 0, BY_WORKER, IN_DEFINITION],
  ["cwd", ({ cwd }) => cwd !== null, BY_WORKER, IN_DEFINITION],
  ["exit-handler", ({ exitHandler }) => exitHandler !== null, BY_WORKER, IN_DEFINITION],
];

const OF_MESSAGES = ["it is for a message on SQS", "--queue names an SQS queue"] as const;

const ON_STORE: readonly Refusal[] = [
  ["attribute", ({ attributes }) => attributes.length > 0, ...OF_MESSAGES],
  ["group", ({ group }) => group !== null, ...OF_MESSAGES],
  ["trace-header", ({ traceHeader }) => traceHeader !== null, ...OF_MESSAGES],
];

/** @throws ReeveError (usage) for the first thing that a message on SQS cannot have. */
export function refuseJobOptions(request: JobRequest): void {
  refuse(ON_SQS, request, "on SQS");
  const limit = nameOfLimit(request.limits);
  if (limit !== undefined) throw usageError(`\`${limit}\` cannot be had on SQS: ${BY_WORKER}`, IN_DEFINITION);
}

/** @throws ReeveError (usage) for the first thing that only a message on SQS can have. */
export function refuseMessageOptions(request: JobRequest): void {
  refuse(ON_STORE, request, "in the store's own queue");
}

function refuse(refusals: readonly Refusal[], request: JobRequest, where: string): void {
  for (const [name, isGiven, reason, instead] of refusals) {
    if (isGiven(request)) throw usageError(`\`${name}\` cannot be had ${where}: ${reason}`, instead);
  }
}
