/** A block of commands in a Markdown document, and the output that is shown right after it. */
export interface Block {
  readonly line: number;
  readonly commands: string;
  readonly run: boolean;
  /** Null: none is shown. */
  readonly output: string | null;
}

interface Fence {
  readonly line: number;
  readonly tag: string;
  readonly text: string;
}

export function blocksOf(markdown: string): Block[] {
  const fences = fencesOf(markdown);
  return fences.flatMap(({ line, tag, text }, index) => {
    if (tag !== "sh" && tag !== "sh no-run") return [];
    const next = fences[index + 1];
    return [{ line, commands: text, run: tag === "sh", output: next?.tag === "text" ? next.text : null }];
  });
}

function fencesOf(markdown: string): Fence[] {
  return [...markdown.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: tag = "", 2: text = "" }) => ({
    line: markdown.slice(0, index).split("\n").length,
    tag,
    text,
  }));
}

/** What differs from run to run is replaced by its kind. */
export function withoutChance(output: string): string {
  const lines = output
    .replaceAll(/\b[a-z2-7]{20}\b/g, "ID")
    .replaceAll(/^[a-z2-7]{10}(?=\s)/gm, "ID")
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "MESSAGE")
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/^(TIME\s+)(?!submit\b)\S+/gm, "$1WORKER")
    .replaceAll(/\b(?:\d+(?:\.\d+)?(?:ms|s)|\d+m\d+s)\b/g, "DURATION")
    .replaceAll(/(submitted from) \S+/g, "$1 DIRECTORY")
    .split("\n");
  return lines
    .map((line) => line.trim().replaceAll(/\s+/g, " "))
    .filter((line) => line !== "")
    .join("\n");
}
