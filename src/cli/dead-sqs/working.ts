import type { Clock } from "../../clock.ts";
import type { SqsConnection } from "../../queue/sqs/connection.ts";
import type { Failure } from "../../queue/sqs/outcome.ts";
import type { Choice } from "./choice.ts";
import { copyOf, letterOf, type Letter } from "./letter.ts";
import type { Reading } from "./reading.ts";

/** SQS gives, and takes, no more at once. */
const ROUND = 10;

/** What became of a letter that was to be sent back or deleted. */
export type Fate =
  | { readonly kind: "done" }
  /** It is still where it was. */
  | { readonly kind: "not sent"; readonly failure: Failure }
  | { readonly kind: "not deleted"; readonly failure: Failure }
  /** It is in both queues. */
  | { readonly kind: "sent, not deleted"; readonly failure: Failure };

/** Does to each letter what is to be done; gives one fate for each, in order. */
export type Act = (letters: readonly Letter[]) => Promise<Fate[]>;

type Letters = Pick<SqsConnection, "remove">;
type Target = Pick<SqsConnection, "send" | "address">;

/** A copy to the queue that they belong to, and only when it is there the delete. */
export const retrying =
  (letters: Letters, target: Target): Act =>
  async (round) => {
    const sent = await target.send(round.map((letter) => copyOf(letter, target.address)));
    const fates = round.map(async (letter, index): Promise<Fate> => {
      const outcome = sent[index];
      if (!outcome) throw new Error("fewer outcomes than messages that were sent");
      if (outcome.kind !== "ok") return { kind: "not sent", failure: outcome };
      const removed = await letters.remove(letter.message.receipt);
      return removed.kind === "ok" ? { kind: "done" } : { kind: "sent, not deleted", failure: removed };
    });
    return Promise.all(fates);
  };

export const purging =
  (letters: Letters): Act =>
  (round) => {
    const fates = round.map(async ({ message }): Promise<Fate> => {
      const removed = await letters.remove(message.receipt);
      return removed.kind === "ok" ? { kind: "done" } : { kind: "not deleted", failure: removed };
    });
    return Promise.all(fates);
  };

/** How much is to be done, and how fast. */
export interface Measure {
  /** Letters, at most. */
  readonly limit: number;
  /** Letters a second, at most; null: as fast as it goes. */
  readonly rate: number | null;
}

export interface WorkPorts {
  readonly clock: Clock;
  /** Whoever stops it has what is in hand finished, and nothing more begun. */
  readonly stop: AbortSignal;
  /** Told of each letter. */
  readonly tell: (letter: Letter, fate: Fate) => Promise<void>;
}

/** Takes the letters that are meant, round after round. Ends early when nothing of a round could be done. */
export async function workThrough(
  reading: Reading,
  choice: Choice,
  act: Act,
  { limit, rate }: Measure,
  { clock, stop, tell }: WorkPorts,
): Promise<void> {
  // No more than the rate allows, so that none is held that cannot be done at once.
  const round = rate === null ? ROUND : Math.min(ROUND, Math.max(1, Math.floor(rate)));
  let left = limit;
  let due = clock.monotonic();
  while (left > 0 && !choice.isComplete()) {
    await pause(due - clock.monotonic(), { clock, stop });
    if (stop.aborted) return;
    const found = await reading.next(Math.min(round, left));
    if (found.length === 0 || stop.aborted) return;
    const letters = found.map(letterOf).filter((letter) => choice.takes(letter));
    const fates = letters.length === 0 ? [] : await act(letters);
    for (const [index, letter] of letters.entries()) {
      const fate = fates[index];
      if (!fate) throw new Error("fewer fates than letters");
      if (fate.kind === "done" || fate.kind === "sent, not deleted") reading.forget(letter.message.id);
      await tell(letter, fate);
    }
    left -= letters.length;
    if (letters.length > 0 && fates.every(isHopeless)) return;
    if (rate !== null) due = Math.max(due, clock.monotonic()) + (letters.length / rate) * 1000;
  }
}

/** What befalls one befalls the next as well. */
function isHopeless(fate: Fate): boolean {
  return fate.kind !== "done" && (fate.failure.kind === "fatal" || fate.failure.kind === "transient");
}

function pause(milliseconds: number, { clock, stop }: Pick<WorkPorts, "clock" | "stop">): Promise<void> {
  if (milliseconds <= 0 || stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      stop.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(milliseconds, end);
    stop.addEventListener("abort", end);
  });
}

/** The letters that are meant, with nothing done to them. */
export async function lookThrough(
  reading: Reading,
  choice: Choice,
  limit: number,
  stop: AbortSignal,
): Promise<Letter[]> {
  const letters: Letter[] = [];
  while (letters.length < limit && !choice.isComplete() && !stop.aborted) {
    const found = await reading.next(Math.min(ROUND, limit - letters.length));
    if (found.length === 0) break;
    letters.push(...found.map(letterOf).filter((letter) => choice.takes(letter)));
  }
  return letters;
}
