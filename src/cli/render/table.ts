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

/** The library's time grows with the square of the rows. */
const CHUNK = 20;

/** A table without lines; the last column gets what room is left, and is cut to it. */
export function table(head: readonly string[], rows: readonly Row[], screen: Screen): string {
  const titled = [head.map((title) => screen.paint(title, "dim")), ...rows];
  const colWidths = columnWidths([head, ...rows], screen.width);
  const chunks = Array.from({ length: Math.ceil(titled.length / CHUNK) }, (_, index) =>
    titled.slice(index * CHUNK, (index + 1) * CHUNK),
  );
  return chunks.map((chunk) => draw(chunk, colWidths)).join("");
}

type Row = readonly string[];

function draw(rows: readonly Row[], colWidths: (number | null)[]): string {
  const style = { "padding-left": 0, "padding-right": GAP, head: [], border: [] };
  const drawn = new Table({ chars: NO_BORDERS, style, colWidths });
  for (const row of rows) drawn.push([...row]);
  const lines = drawn.toString().split("\n");
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function columnWidths(rows: readonly Row[], width: number | null): (number | null)[] {
  const columns = rows[0]?.length ?? 0;
  const taken = Array.from({ length: columns - 1 }, (_, column) => GAP + widest(rows, column));
  const left = (width ?? 0) - taken.reduce((sum, one) => sum + one, 0);
  return [...taken, width === null ? null : Math.max(NARROWEST, left) + GAP];
}

const widest = (rows: readonly Row[], column: number): number =>
  rows.reduce((widest, row) => Math.max(widest, cells(row[column] ?? "")), 0);

/** Enough for any text: East Asian letters and pictures take two cells each. */
function cells(text: string): number {
  const plain = stripVTControlCharacters(text);
  return plain.length + (plain.match(/[\u1100-\uffff]/g)?.length ?? 0);
}

/** Names and what they stand for, one to a line; what is empty is left out. */
export function pairs(entries: readonly (readonly [name: string, value: string])[], { paint }: Screen): string {
  const shown = entries.filter(([, value]) => value !== "");
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + GAP;
  const indent = `\n${" ".repeat(width)}`;
  return shown
    .map(([name, value]) => `${paint(name.padEnd(width), "dim")}${value.replaceAll("\n", indent)}\n`)
    .join("");
}
