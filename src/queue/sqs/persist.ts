import type { Clock } from "../../clock.ts";
import { Backoff, CALL_BACKOFF } from "../backoff.ts";
import { CLOSED } from "./failures.ts";

/** What is tried again within one call. */
export interface Persistence {
  readonly clock: Clock;
  readonly random: () => number;
}

interface Outcome {
  readonly kind: string;
  readonly name?: string;
}

/** The last try has at least a quarter of the whole time: one without would only hide why the others failed. */
const SHARE_OF_LAST_TRY = 4;

/**
 * Asks for all items, then again for those of which the answer says "transient", until `limitMs` is over. Gives each
 * item's last answer, in order. A call that keeps a lease waiting has thus one limit, however often it tries.
 *
 * @param ask gives one answer for each item; it is told how many milliseconds are left
 */
export async function persist<I, O extends Outcome>(
  items: readonly I[],
  limitMs: number,
  { clock, random }: Persistence,
  ask: (items: readonly I[], leftMs: number) => Promise<readonly O[]>,
): Promise<O[]> {
  const end = clock.monotonic() + limitMs;
  const lastStart = end - limitMs / SHARE_OF_LAST_TRY;
  const backoff = new Backoff(CALL_BACKOFF, random);
  const answers: O[] = [];
  let open = items.map((item, index) => ({ item, index }));
  for (;;) {
    const given = await ask(
      open.map(({ item }) => item),
      end - clock.monotonic(),
    );
    for (const [at, answer] of given.entries()) answers[open[at]?.index ?? -1] = answer;
    open = open.filter(({ index }) => mayPass(answers[index]));
    const pauseMs = backoff.failed();
    if (open.length === 0 || clock.monotonic() + pauseMs >= lastStart) return answers;
    await clock.sleep(pauseMs);
  }
}

/** A connection that was closed stays so. */
const mayPass = (outcome: Outcome | undefined): boolean => outcome?.kind === "transient" && outcome.name !== CLOSED;
