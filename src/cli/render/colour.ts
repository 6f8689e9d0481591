import { unreachable } from "../../errors.ts";
import type { Phase } from "../../store/phases.ts";

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;

export type Colour = keyof typeof CODES;

/** Makes text coloured, or leaves it as it is. */
export type Paint = (text: string, colour: Colour) => string;

/** What decides on colours. */
export interface ColourSource {
  /** `--color` or `--no-color`; undefined if neither was given. */
  readonly asked: boolean | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
}

/** `--color`, else NO_COLOR (https://no-color.org), else FORCE_COLOR, else whether it is a terminal. */
export function mayColour({ asked, environment, isTerminal }: ColourSource): boolean {
  if (asked !== undefined) return asked;
  if (environment["NO_COLOR"]) return false;
  const forced = environment["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return isTerminal;
}

export function painter(source: ColourSource): Paint {
  if (!mayColour(source)) return (text) => text;
  return (text, colour) => `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}

export function phaseColour(phase: Phase): Colour {
  switch (phase) {
    case "COMPLETED":
      return "green";
    case "ERROR":
      return "red";
    case "ABORTED":
      return "magenta";
    case "EXECUTING":
      return "cyan";
    case "QUEUED":
      return "blue";
    case "PENDING":
    case "HELD":
    case "SUSPENDED":
    case "UNKNOWN":
      return "yellow";
    case "ARCHIVED":
      return "dim";
    default:
      return unreachable(phase);
  }
}
