import { describe, expect, test } from "bun:test";
import { Alone } from "../../src/worker/alone.ts";

const job = (lost: number, adopted: object | null = null) => ({ started: { job: { lost }, adopted } });

/** What has been let go by now. */
function waiting(alone: Alone, one: ReturnType<typeof job>): { isOver: boolean } {
  const state = { isOver: false };
  void alone.until(one).then(() => (state.isOver = true));
  return state;
}

const moment = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a job that may kill its worker", () => {
  test("waits until nothing runs beside it, and then for its turn", async () => {
    const [other, first, second] = [job(1), job(2), job(3)];
    const active = new Set([other, first, second]);
    const alone = new Alone(active);
    const states = [waiting(alone, other), waiting(alone, first), waiting(alone, second)];
    const over = async () => (await moment(), states.map(({ isOver }) => isOver));
    expect(await over()).toEqual([true, false, false]);
    active.delete(other);
    alone.look();
    expect(await over()).toEqual([true, true, false]);
    active.delete(first);
    alone.look();
    expect(await over()).toEqual([true, true, true]);
  });

  test("is looked after at once where it runs already, since it has outlived its worker", async () => {
    const adopted = job(2, {});
    const alone = new Alone(new Set([job(0), adopted]));
    const state = waiting(alone, adopted);
    await moment();
    expect({ ...state, wanted: alone.isWanted }).toEqual({ isOver: true, wanted: true });
  });
});
