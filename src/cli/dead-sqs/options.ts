import type { VerbOption } from "../verb.ts";

/** What can be said of the dead letters of an SQS queue. */
export const SQS_LETTER_OPTIONS: readonly VerbOption[] = [
  ["--queue <name>", "those of an SQS queue, by its URL or name; each look at a letter counts as a receive of it"],
  ["--endpoint <url>", "where that queue's server is"],
  ["--to <name>", "where to send them back; then --queue is the dead letter queue itself"],
  ["--match <text>", "only with this text, or /regular expression/, in the reason or the body"],
  ["--job <name>", "only of this definition"],
  ["--older-than <duration>", "only those sent so long ago"],
  ["--limit <n>", "so many at most (list: 100)"],
  ["--rate <n>", "so many a second at most"],
  ["--dry-run", "only say which are meant"],
];
