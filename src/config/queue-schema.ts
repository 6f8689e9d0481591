import * as v from "valibot";
import { formatDuration } from "./durations.ts";
import type { Problem } from "./problems.ts";
import {
  DEFAULT_SQS_QUEUE,
  ON_EXHAUSTED,
  ON_UNROUTABLE,
  POINTER_PAYLOADS,
  type QueueDefinition,
} from "./queue-definition.ts";
import {
  count,
  duration,
  issueAt,
  nonEmpty,
  oneOf,
  optional,
  positiveDuration,
  present,
  table,
  text,
} from "./schema-parts.ts";

const LONGEST_VISIBILITY_MS = 12 * 3_600_000;
const LONGEST_WAIT_MS = 20_000;

const url = v.pipe(text(), v.regex(/^https?:\/\/[^\s/]+/, "must be a URL that begins with https:// or http://"));

/** A duration that SQS counts in whole seconds. */
const seconds = (least: number, most: number) =>
  v.pipe(
    duration,
    v.minValue(least, `must be at least ${formatDuration(least)}`),
    v.maxValue(most, `must be at most ${formatDuration(most)}`),
    v.check((milliseconds) => milliseconds % 1000 === 0, "must be whole seconds"),
  );

const sqsEntries = {
  url: optional(url),
  region: optional(v.pipe(text(), v.regex(/^[A-Za-z0-9-]+$/, 'must be a region such as "eu-west-1"'))),
  endpoint: optional(url),
  visibility: optional(seconds(1000, LONGEST_VISIBILITY_MS)),
  beat: optional(positiveDuration),
  wait: optional(seconds(0, LONGEST_WAIT_MS)),
  job: optional(nonEmpty),
  on_unroutable: optional(oneOf(ON_UNROUTABLE)),
  on_exhausted: optional(oneOf(ON_EXHAUSTED)),
  pointer_buckets: optional(
    v.array(v.pipe(text(), v.regex(/^[\w.-]+$/, "must be the name of a bucket")), "must be a list of names of buckets"),
  ),
  pointer_payloads: optional(oneOf(POINTER_PAYLOADS)),
};

const queueTable = table({ type: optional(oneOf(["sqlite", "sqs"])), weight: optional(count(1)), ...sqsEntries });

type QueueTable = v.InferOutput<typeof queueTable>;

/** A table of `[queues]`. */
export const queue = v.pipe(
  queueTable,
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const problem of queueProblems(dataset.value)) addIssue(issueAt(problem));
  }),
  v.transform(toQueue),
);

function queueProblems(given: QueueTable): Problem[] {
  if (given.type === "sqlite") return foreignKeys(given);
  if (given.url === undefined) return [{ path: [], message: 'needs a `url`, or `type = "sqlite"`' }];
  return [...lateBeat(given), ...uselessPayloads(given)];
}

function foreignKeys(given: QueueTable): Problem[] {
  const foreign = Object.keys(sqsEntries).filter((key) => key in given);
  return foreign.map((key) => ({ path: [key], message: "means nothing for sqlite" }));
}

function lateBeat({ beat, visibility = DEFAULT_SQS_QUEUE.visibilityMs }: QueueTable): Problem[] {
  if (beat === undefined || beat < visibility) return [];
  return [{ path: ["beat"], message: `must be shorter than \`visibility\`, ${formatDuration(visibility)}` }];
}

function uselessPayloads(given: QueueTable): Problem[] {
  if (given.pointer_payloads === undefined || given.pointer_buckets?.length) return [];
  return [{ path: ["pointer_payloads"], message: "means nothing without `pointer_buckets`" }];
}

function toQueue(given: QueueTable): QueueDefinition {
  if (given.url === undefined) return { type: "sqlite", weight: given.weight ?? 1 };
  const { weight, region, endpoint, job, wait } = given;
  const said = {
    weight,
    region,
    endpoint,
    visibilityMs: given.visibility,
    beatMs: given.beat,
    waitSeconds: wait === undefined ? undefined : wait / 1000,
    job,
    onUnroutable: given.on_unroutable,
    onExhausted: given.on_exhausted,
    pointerBuckets: given.pointer_buckets,
    pointerPayloads: given.pointer_payloads,
  };
  return { ...DEFAULT_SQS_QUEUE, url: given.url, ...present(said) };
}
