import type { BatchResultErrorEntry } from "@aws-sdk/client-sqs";
import type { Clock } from "../../clock.ts";
import { entryFailure, nonsense } from "./failures.ts";
import type { Asked } from "./health.ts";
import type { Answer, Failure } from "./outcome.ts";
import type { Requests, Sender } from "./requests.ts";

/** SQS takes no more entries in one request. */
export const MAX_ENTRIES = 10;

/** What a batch's answer says of its entries, by their ids. */
export interface BatchResult<T> {
  readonly done: ReadonlyMap<string, T>;
  readonly failed: readonly BatchResultErrorEntry[];
}

/**
 * Asks for up to ten entries at once. An answer of 200 may tell of failures: each entry is looked at.
 *
 * @param send gets the entries with their ids, which are distinct within the batch
 */
export async function askForBatch<I, T>(
  requests: Requests,
  asked: Asked,
  entries: readonly I[],
  limitMs: number,
  send: (sender: Sender, entries: readonly (readonly [id: string, entry: I])[]) => Promise<BatchResult<T>>,
): Promise<Answer<T>[]> {
  const numbered = entries.map((entry, index) => [String(index), entry] as const);
  const answers = (result: BatchResult<T>): Answer<T>[] => {
    const failures = new Map(result.failed.map((entry) => [entry.Id, entryFailure(entry, asked)]));
    return numbered.map(([id]) => {
      const failure = failures.get(id);
      if (failure) return failure;
      const value = result.done.get(id);
      return value === undefined ? nonsense("the answer leaves out an entry", asked) : { kind: "ok", value };
    });
  };
  const answer = await requests.ask(
    asked,
    limitMs,
    async (sender) => answers(await send(sender, numbered)),
    failureOfAll,
  );
  return answer.kind === "ok" ? answer.value : entries.map(() => answer);
}

/** What is recorded of a batch of which nothing was done. */
function failureOfAll<T>(answers: readonly Answer<T>[]): Failure | null {
  const failures = answers.filter((answer) => answer.kind !== "ok");
  return failures.length === answers.length ? (failures[0] ?? null) : null;
}

interface Waiting<I, O> {
  readonly item: I;
  readonly settle: (outcome: O) => void;
  readonly fail: (error: unknown) => void;
}

/** Gathers what is asked for one by one into batches: a batch goes when it is full, or a short while after its first. */
export class Batcher<I, O> {
  readonly #process: (items: readonly I[]) => Promise<readonly O[]>;
  readonly #delayMs: number;
  readonly #clock: Clock;
  #hurries = false;
  #waiting: Waiting<I, O>[] = [];
  #cancel: () => void = () => {};
  readonly #underway = new Set<Promise<void>>();

  /** @param process gives one outcome for each item, in order */
  constructor(process: (items: readonly I[]) => Promise<readonly O[]>, delayMs: number, clock: Clock) {
    this.#process = process;
    this.#delayMs = delayMs;
    this.#clock = clock;
  }

  add(item: I): Promise<O> {
    const { promise, resolve, reject } = Promise.withResolvers<O>();
    this.#waiting.push({ item, settle: resolve, fail: reject });
    if (this.#waiting.length >= MAX_ENTRIES) this.flush();
    else if (this.#waiting.length === 1) this.#cancel = this.#clock.after(this.#patienceMs, () => this.flush());
    return promise;
  }

  /** In a hurry there is none: only what is asked for in the same moment goes together. */
  get #patienceMs(): number {
    return this.#hurries ? 0 : this.#delayMs;
  }

  /** Whether nothing more is to come that would be worth waiting for. */
  hurry(isWanted: boolean): void {
    if (isWanted && !this.#hurries) this.flush();
    this.#hurries = isWanted;
  }

  /** Sends what waits. */
  flush(): void {
    this.#cancel();
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const sending = this.#send(batch).finally(() => this.#underway.delete(sending));
    this.#underway.add(sending);
  }

  async #send(batch: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const outcomes = await this.#process(batch.map(({ item }) => item));
      for (const [index, { settle, fail }] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome === undefined) fail(new Error("a batch has fewer outcomes than entries"));
        else settle(outcome);
      }
    } catch (error) {
      for (const { fail } of batch) fail(error);
    }
  }

  /** Sends what waits, and waits until all has its outcome. */
  async drain(): Promise<void> {
    this.flush();
    await Promise.all(this.#underway);
  }
}
