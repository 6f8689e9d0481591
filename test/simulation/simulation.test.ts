import { describe, expect, test } from "bun:test";
import { runHistory, type HistoryEnd } from "./history.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";

const HISTORIES = 300;
/** Histories within which each mutation has to be noticed. */
const PATIENCE = 60;

function describeFailure({ seed, violation, tail }: HistoryEnd): string {
  const again = `bun run simulate --seed ${seed} --histories 1 --trace`;
  return `seed ${seed}: ${violation?.invariant}: ${violation?.detail}\nagain: ${again}\n${tail.join("\n")}`;
}

/** Whether that check is the first to notice it in one of a few histories. */
async function isNoticed(mutation: Mutation, by: string): Promise<boolean> {
  for (let seed = 1; seed <= PATIENCE; seed += 1) {
    const { violation } = await runHistory({ seed, mutation, isDense: true });
    if (violation?.invariant === by) return true;
  }
  return false;
}

describe("the simulation", () => {
  test(`${HISTORIES} histories keep every promise`, async () => {
    const begun = performance.now();
    for (let seed = 1; seed <= HISTORIES; seed += 1) {
      const end = await runHistory({ seed });
      if (end.violation) throw new Error(describeFailure(end));
    }
    const seconds = (performance.now() - begun) / 1000;
    console.log(`${(HISTORIES / seconds).toFixed(1)} histories a second`);
  }, 300_000);

  test("the same seed gives the same history", async () => {
    for (const seed of [1, 2, 3, 77, 4711]) {
      const first = await runHistory({ seed });
      const second = await runHistory({ seed });
      expect(second.hash).toBe(first.hash);
      expect(second.events).toBe(first.events);
    }
  });

  test("different seeds give different histories", async () => {
    const hashes = await Promise.all([1, 2].map(async (seed) => (await runHistory({ seed })).hash));
    expect(new Set(hashes).size).toBe(2);
  });
});

describe("the checks notice that", () => {
  for (const { name, noticedBy } of MUTATIONS) {
    test(name, async () => expect(await isNoticed(name, noticedBy)).toBe(true));
  }
});
