/** The value that so large a part of the others is not above. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  if (value === undefined) throw new Error("there is nothing to take a quantile of");
  return value;
}

export function median(values: readonly number[]): number {
  const upper = quantile(values, 0.5);
  // Of an even number there are two in the middle.
  return values.length % 2 === 1 ? upper : (upper + quantile(values, 0.5 - 1 / values.length)) / 2;
}

/** The median of what each pair's members are to each other: what slows the machine down slows both of a pair. */
export function medianRatio(ours: readonly number[], yardstick: readonly number[]): number {
  return median(ours.map((value, index) => value / (yardstick[index] ?? Number.NaN)));
}

/** Runs all of `measures` in turn, so many times over, and gives what each gave. */
export async function inTurn(
  rounds: number,
  measures: readonly (() => number | Promise<number>)[],
): Promise<readonly (readonly number[])[]> {
  const values: number[][] = measures.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, measure] of measures.entries()) values[index]?.push(await measure());
  }
  return values;
}

/** Milliseconds that it takes. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
