import { textAnswer } from "./answers.ts";
import type { Exchange } from "./ports.ts";

/** The list of the jobs without a definition, which no definition can be called. */
export const PLAIN_LIST = "jobs";

/** What the service has, one address a line. */
export function answerIndex({ base, definitions }: Exchange): Response {
  const lists = [...definitions.values()].map(({ name, description }) => line(base, name, description));
  return textAnswer([...lists, line(base, PLAIN_LIST, "jobs without a definition")].join(""));
}

const line = (base: string, name: string, description = ""): string =>
  `${`${base}/${name}  ${description.replaceAll(/\s+/g, " ")}`.trimEnd()}\n`;
