import { dirname, isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** A line of somebody's source. */
export interface Place {
  /** An absolute path. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

const OWN = dirname(import.meta.dirname);
const FRAME = /(?:^|\s|\()((?:file:\/\/)?\/[^\n]*?):(\d+):\d+\)?$/;
const COLOUR = new RegExp(String.raw`${"\u001B"}\[[\d;]*m`, "g");

export const withoutColour = (text: string): string => text.replaceAll(COLOUR, "");

/** The place that a line of a stack names, if that is one of somebody else's. */
export function placeIn(frame: string): Place | null {
  const [, path, line] = FRAME.exec(withoutColour(frame).trimEnd()) ?? [];
  if (path === undefined) return null;
  const file = path.startsWith("file://") ? fileURLToPath(path) : path;
  return isOurs(file) ? null : { file, line: Number(line) };
}

/** Of the program itself, not of a module that it has loaded. */
const isOurs = (file: string): boolean => file.startsWith(`${OWN}/`) || file.startsWith("/$bunfs/");

/** The first place in a text with a stack in it that is not ours; of a package only if there is no other. */
export function firstPlace(text: string): Place | null {
  const places = text.split("\n").flatMap((line) => placeIn(line) ?? []);
  return places.find(({ file }) => !file.includes("/node_modules/")) ?? places[0] ?? null;
}

/** A stack without the lines that are ours, or the runtime's. */
export function theirStack(stack: string): string {
  const lines = stack.split("\n");
  return lines.filter((line) => !/^\s+at\s/.test(line) || placeIn(line) !== null).join("\n");
}

/** Relative where that leads downwards. */
export function shownPath(file: string, cwd: string): string {
  const path = relative(cwd, file);
  return path.startsWith("..") || isAbsolute(path) ? file : path;
}
