import measure from "fast-string-truncated-width";
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

type Row = readonly string[];

/** A table without lines; the last column gets what room is left, and is cut to it. */
export function table(head: Row, rows: readonly Row[], screen: Screen): string {
  const titled = [head.map((title) => screen.paint(title, "dim")), ...rows];
  const widths = head.map((_, column) => Math.max(...titled.map((row) => cells(row[column] ?? ""))));
  const taken = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP, 0);
  const room = screen.width === null ? Number.POSITIVE_INFINITY : Math.max(NARROWEST, screen.width - taken);
  return titled.map((row) => `${line(row, widths, room)}\n`).join("");
}

function line(row: Row, widths: readonly number[], room: number): string {
  const last = row.length - 1;
  const padded = row.map((cell, column) =>
    column === last ? cut(cell, room) : cell + " ".repeat((widths[column] ?? 0) - cells(cell) + GAP),
  );
  return padded.join("").trimEnd();
}

/** How wide a terminal shows it: colours take no cell, pictures and East Asian letters two. */
const cells = (text: string): number => measure(text).width;

/** So much of a text as fits into so many cells. */
export function cut(text: string, room: number): string {
  const { truncated, index } = measure(text, { limit: room, ellipsis: "…" });
  return truncated ? `${text.slice(0, index)}…` : text;
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
