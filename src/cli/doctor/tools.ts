import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { TOOLS, type Shape, type Tool } from "./shapes.ts";

/** Ways to go on as a command in a session or a process group of its own, by the program that they need. */
const WAYS: Readonly<Record<Tool, readonly (readonly [program: string, body: string])[]>> = {
  session: [
    ["setsid", `exec setsid "$@"`],
    ["perl", `exec perl -MPOSIX -e 'setsid(); exec { $ARGV[0] } @ARGV' "$@"`],
    ["python3", `exec python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"`],
  ],
  group: [
    ["perl", `exec perl -e 'setpgrp(0, 0); exec { $ARGV[0] } @ARGV' "$@"`],
    ["python3", `exec python3 -c 'import os, sys; os.setpgid(0, 0); os.execvp(sys.argv[1], sys.argv[1:])' "$@"`],
    ["bash", `exec bash -mc '"$@" & wait' bash "$@"`],
  ],
};

/** Makes the commands of shapes, with those of the programs here that they need. */
export class Tools {
  readonly #bodies: ReadonlyMap<Tool, string>;

  /** `path`: as in the environment variable. */
  constructor(path: string) {
    const has = (program: string): boolean =>
      path.split(":").some((directory) => isExecutable(join(directory, program)));
    this.#bodies = new Map(
      TOOLS.flatMap((tool) => {
        const way = WAYS[tool].find(([program]) => has(program));
        return way ? [[tool, way[1]] as const] : [];
      }),
    );
  }

  /** A sentence that says what is missing; null: nothing. */
  missing({ needs }: Shape): string | null {
    if (needs === undefined || this.#bodies.has(needs)) return null;
    return `none of ${WAYS[needs].map(([program]) => program).join(", ")} is installed`;
  }

  /** The argv of a main process that makes the shape, and then does what `end` says, a line of shell with the mark as `$1`. */
  command({ script }: Shape, end: string, mark: string): string[] {
    const functions = [...this.#bodies].map(([tool, body]) => `${tool}() { ${body}; }\n`).join("");
    return ["/bin/sh", "-c", `${functions}${script}\n${end}`, "sh", mark];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for us: another directory may have it.
    return false;
  }
}
