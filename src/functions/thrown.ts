import { basename, isAbsolute } from "node:path";
import { inspect } from "node:util";
import { messageOf } from "../errors.ts";
import { firstPlace, shownPath, theirStack } from "./places.ts";

/** What was thrown, for the job's error and for its output. */
export interface Thrown {
  /** A sentence, with the line of the job's own source where that is known. */
  readonly message: string;
  readonly stack: string;
}

/** Explains what a function has thrown. Places are told relative to `directory`. */
export function explain(error: unknown, directory: string): Thrown {
  try {
    return explained(error, directory);
  } catch {
    // A getter or a proxy of theirs has thrown in its turn.
    return { message: "thrown: what cannot be shown", stack: "thrown: what cannot be shown" };
  }
}

function explained(error: unknown, directory: string): Thrown {
  if (!(error instanceof Error)) return { message: `thrown: ${shortly(error)}`, stack: `thrown: ${inspect(error)}` };
  const stack = stackOf(error);
  const place = firstPlace(stack);
  const where = place === null ? "" : ` (${nameOf(place.file, directory)}:${place.line})`;
  return { message: `${error.name}: ${messageOf(error)}${where}`, stack };
}

/** Users of a service read it, too, to whom directories are nothing. */
function nameOf(file: string, directory: string): string {
  const path = shownPath(file, directory);
  return isAbsolute(path) ? basename(path) : path;
}

const shortly = (value: unknown): string => inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });

/** On some runtimes a stack begins with what was thrown, on others not. */
function stackOf(error: Error): string {
  const head = `${error.name}: ${error.message}`;
  const stack = theirStack(error.stack ?? "");
  const whole = stack.includes(error.message) ? stack : `${head}\n${stack}`;
  const several: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  const because = error.cause === undefined ? [] : [`Caused by: ${shownWhole(error.cause)}`];
  return [whole, ...several.map((one) => `One of them: ${shownWhole(one)}`), ...because].join("\n");
}

const shownWhole = (thrown: unknown): string => (thrown instanceof Error ? stackOf(thrown) : inspect(thrown));
