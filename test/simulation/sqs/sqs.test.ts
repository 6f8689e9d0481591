import { describe, expect, test } from "bun:test";
import { runSqsHistory } from "./history.ts";
import { SQS_MUTATIONS, type SqsMutation } from "./mutations.ts";

const HISTORIES = 30;
/** Histories within which each mutation has to be noticed. */
const PATIENCE = 60;

/** Whether that check is the first to notice it in one of a few histories. */
async function isNoticed(mutation: SqsMutation, by: string): Promise<boolean> {
  for (let seed = 1; seed <= PATIENCE; seed += 1) {
    const { violation } = await runSqsHistory({ seed, mutation, isDense: true });
    if (violation?.invariant === by) return true;
  }
  return false;
}

describe("hosts that share an SQS queue", () => {
  test(`keep every promise in ${HISTORIES} histories`, async () => {
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const { violation, tail } = await runSqsHistory({ seed });
      const again = `bun run simulate --seed ${seed} --histories 1 --sqs --trace`;
      if (violation)
        throw new Error(`${violation.invariant}: ${violation.detail}\nagain: ${again}\n${tail.join("\n")}`);
    }
  }, 120_000);

  test("have the same history for the same seed", async () => {
    for (const seed of [1, 2, 3]) {
      const first = await runSqsHistory({ seed });
      const second = await runSqsHistory({ seed });
      expect([second.hash, second.events]).toEqual([first.hash, first.events]);
    }
  }, 60_000);
});

describe("the checks of SQS notice that", () => {
  for (const { name, noticedBy } of SQS_MUTATIONS) {
    test(name, async () => expect(await isNoticed(name, noticedBy)).toBe(true), 120_000);
  }
});
