import { readFileSync } from "node:fs";
import { messageOf } from "../errors.ts";
import { firstPlace, type Place, withoutColour } from "./places.ts";

/** Why a module cannot be loaded, and where. */
export interface LoadFailure {
  readonly message: string;
  readonly place: Place | null;
}

/** What is used of the errors that the runtimes throw at an import, each of which has some of it. */
interface ImportError {
  readonly errors?: unknown;
  /** Of a syntax error (Bun). */
  readonly position?: unknown;
  /** What is not there, and who wants it (Bun). */
  readonly specifier?: unknown;
  readonly referrer?: unknown;
}

/** Explains what the import of a module has thrown. */
export function explainLoadFailure(error: unknown, entry: string): LoadFailure {
  const [first] = isObject(error) && Array.isArray(error.errors) ? error.errors : [];
  if (isObject(first)) return explainLoadFailure(first, entry);
  const message = firstLine(error);
  const place = positionOf(error) ?? importOf(error, message, entry) ?? firstPlace(textOf(error));
  return { message: message.replace(/^TypeError: (?=SyntaxError)/, ""), place };
}

const isObject = (value: unknown): value is ImportError => typeof value === "object" && value !== null;

/** Names that say nothing, or that only Bun knows. */
const NAMELESS = new Set(["Error", "BuildMessage", "ResolveMessage"]);

function firstLine(error: unknown): string {
  const name = error instanceof Error && !NAMELESS.has(error.name) ? `${error.name}: ` : "";
  const [line = ""] = withoutColour(`${name}${messageOf(error)}`).split("\n");
  return line;
}

const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);

function positionOf(error: unknown): Place | null {
  const position = isObject(error) ? error.position : null;
  if (typeof position !== "object" || position === null || !("file" in position) || !("line" in position)) return null;
  const { file, line } = position;
  return typeof file === "string" && file.startsWith("/") && typeof line === "number" ? { file, line } : null;
}

const NOT_EXPORTED = /^SyntaxError: Export named '([^']+)' not found in module/;

/** Bun tells neither the line of an import that names what is not there, nor, if it is an export, the file. */
function importOf(error: unknown, message: string, entry: string): Place | null {
  const { specifier, referrer } = isObject(error) ? error : {};
  if (typeof specifier === "string" && typeof referrer === "string") {
    return lineOf(referrer, (line) => line.includes(`"${specifier}"`) || line.includes(`'${specifier}'`));
  }
  const [, name] = NOT_EXPORTED.exec(message) ?? [];
  return name === undefined ? null : lineOf(entry, (line) => line.split(/[^\w$]+/).includes(name));
}

function lineOf(file: string, isIt: (line: string) => boolean): Place | null {
  try {
    const index = readFileSync(file, "utf8").split("\n").findIndex(isIt);
    return index === -1 ? null : { file, line: index + 1 };
  } catch {
    // It is not there either, which the message tells.
    return null;
  }
}
