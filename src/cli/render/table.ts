import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import type { Options } from "../invocation.ts";
import { painter, type Paint } from "./colour.ts";

/** How and where tables are shown. */
export interface Screen {
  readonly paint: Paint;
  /** In columns; null: no terminal, so nothing is cut. */
  readonly width: number | null;
}

/** Stdout, as the options and the environment want it. */
export function screenOf(options: Options): Screen {
  const { isTTY = false, columns } = process.stdout;
  return {
    paint: painter({ asked: options.switched("color"), environment: process.env, isTerminal: isTTY }),
    width: isTTY ? columns : null,
  };
}

const GAP = 2;
const NARROWEST = 12;

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};

/** A table without lines; the last column gets what room is left, and is cut to it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], screen: Screen): string {
  const drawn = new Table({
    chars: NO_BORDERS,
    style: { "padding-left": 0, "padding-right": GAP, head: [], border: [] },
    head: head.map((title) => screen.paint(title, "dim")),
    colWidths: widths([head, ...rows], screen.width),
  });
  for (const row of rows) drawn.push([...row]);
  return drawn
    .toString()
    .split("\n")
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

function widths(rows: readonly (readonly string[])[], width: number | null): (number | null)[] {
  if (width === null) return [];
  const columns = rows[0]?.length ?? 0;
  const taken = Array.from({ length: columns - 1 }, (_, column) => GAP + widest(rows, column));
  const left = width - taken.reduce((sum, one) => sum + one, 0);
  return [...taken.map(() => null), Math.max(NARROWEST, left + GAP)];
}

const widest = (rows: readonly (readonly string[])[], column: number): number =>
  Math.max(...rows.map((row) => stripVTControlCharacters(row[column] ?? "").length));

/** Names and what they stand for, one to a line; what is empty is left out. */
export function pairs(entries: readonly (readonly [name: string, value: string])[], { paint }: Screen): string {
  const shown = entries.filter(([, value]) => value !== "");
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + GAP;
  const indent = `\n${" ".repeat(width)}`;
  return shown
    .map(([name, value]) => `${paint(name.padEnd(width), "dim")}${value.replaceAll("\n", indent)}\n`)
    .join("");
}
