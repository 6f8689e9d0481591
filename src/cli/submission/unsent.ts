import { EXIT, ReeveError, unavailable, usageError } from "../../errors.ts";
import type { QueueAddress } from "../../queue/sqs/address.ts";
import type { Failure } from "../../queue/sqs/outcome.ts";
import type { SentJob } from "./message.ts";

/** One of a batch that did not arrive, as far as is known. */
export interface Unsent {
  /** Its place among those that were to be sent. */
  readonly index: number;
  readonly failure: Failure;
}

/** What to tell of the one job of the command line. */
export function errorOfOne(job: SentJob, failure: Failure, { isFifo }: QueueAddress): ReeveError {
  const hint = failure.hint ?? undefined;
  if (failure.kind === "refused") return usageError(failure.message, hint);
  if (!failure.unanswered) return unavailable(failure.message, hint);
  const again = `--dedupe ${job.message.deduplicationId} keeps it from being there twice if it is sent again within 5 minutes`;
  return unavailable(`${failure.message}; if it did arrive, it is the job ${job.id}`, isFifo ? again : hint);
}

/**
 * What to tell of a batch: which lines are to be sent again, and why.
 *
 * @param lines the line of each job of the batch
 * @param loss why the queue is out of reach; null: it is not
 */
export function errorOfBatch(
  unsent: readonly Unsent[],
  source: string,
  lines: readonly number[],
  loss: Failure | null,
): ReeveError {
  const told = rowsOf(unsent).map(
    ({ first, last }) => `${source}:${rangeOf(lines, first, last)}: ${sentenceOf(first)}`,
  );
  const count = `${unsent.length} of ${lines.length} ${lines.length === 1 ? "message was" : "messages were"} not sent:`;
  const code = loss ? EXIT.unavailable : EXIT.jobFailed;
  return new ReeveError(code, [count, ...told].join("\n  "), loss?.hint ?? undefined);
}

interface Row {
  readonly first: Unsent;
  readonly last: Unsent;
}

/** Those that stand side by side and failed for the same reason. */
function rowsOf(unsent: readonly Unsent[]): Row[] {
  const rows: Row[] = [];
  for (const one of unsent) {
    const row = rows.at(-1);
    const goesOn = row?.last.index === one.index - 1 && reasonOf(row.first) === reasonOf(one);
    if (row && goesOn) rows[rows.length - 1] = { ...row, last: one };
    else rows.push({ first: one, last: one });
  }
  return rows;
}

function rangeOf(lines: readonly number[], first: Unsent, last: Unsent): string {
  return first === last ? `${lines[first.index]}` : `${lines[first.index]}-${lines[last.index]}`;
}

/** The sentence about a request has its number in it; that about one message says what is wrong with this one. */
const reasonOf = ({ failure }: Unsent): string => (failure.kind === "refused" ? failure.message : failure.name);

function sentenceOf({ failure }: Unsent): string {
  return failure.unanswered ? `${failure.message}; it may be there all the same` : failure.message;
}
