/** What a number is held against. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the table. */
export interface Line {
  readonly row: string;
  readonly ours: string;
  readonly yardstick: string;
  /** What the goal is about: mostly ours divided by the yardstick's. */
  readonly value: number;
  /** Of `value` and of the goal; none for a plain ratio. */
  readonly unit?: string;
  readonly goal: Goal;
}

const WIDTHS = [50, 12, 12, 12, 11, 6] as const;

export const HEADER = columns(["row", "ours", "yardstick", "ratio", "goal", ""]);

export function format(line: Line): string {
  const { row, ours, yardstick, value, unit = "", goal } = line;
  const limit = "atLeast" in goal ? `≥ ${goal.atLeast}${unit}` : `≤ ${goal.atMost}${unit}`;
  return columns([row, ours, yardstick, `${significant(value)}${unit}`, limit, isMet(line) ? "met" : "missed"]);
}

export function isMet({ value, goal }: Pick<Line, "value" | "goal">): boolean {
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
}

const significant = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1));

function columns(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0))
    .join("  ")
    .trimEnd();
}

export const perSecond = (rate: number): string => `${Math.round(rate)}/s`;

export const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

export const microseconds = (value: number): string => `${Math.round(value * 1000)} µs`;
