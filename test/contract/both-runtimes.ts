import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/temporary.ts";
import { runCase, type Case, type Line } from "./suite.ts";

const ROOT = join(import.meta.dir, "..", "..");
const DENO = join(ROOT, "node_modules", ".bin", "deno");
const PATIENCE_MS = 120_000;

/** The cases as tests: here, and as `main` prints them when Deno runs it. */
export function testOnBothRuntimes<S>(what: string, cases: readonly Case<S>[], subject: S, main: string): void {
  describe(`${what} on Bun`, () => {
    test.each(cases.map((one) => [one.name, one] as const))("%s", async (_, one) => {
      expectKept(await runCase(one, subject, "bun"));
    });
  });
  describe(`${what} on Deno`, () => {
    let lines: ReadonlyMap<string, Line> = new Map();
    beforeAll(async () => {
      const names = cases.map(({ name }) => name);
      lines = new Map((await linesOnDeno(names, main)).map((line) => [line.name, line]));
    }, PATIENCE_MS);
    test.each(cases.map(({ name }) => name))("%s", (name) => {
      const line = lines.get(name);
      if (!line) throw new Error("Deno did not get as far as this");
      if (line.exception !== undefined) console.log(`not on Deno: ${name}: ${line.exception}`);
      expectKept(line);
    });
  });
}

function expectKept(line: Line): void {
  if (!line.ok) throw new Error(line.error ?? "it failed and did not say why");
  expect(line.ok).toBe(true);
}

/** A case in which Deno itself died has failed, and the next one begins in a new process. */
async function linesOnDeno(names: readonly string[], main: string): Promise<Line[]> {
  const lines: Line[] = [];
  while (lines.length < names.length) {
    lines.push(...(await linesFrom(lines.length, main)));
    const name = names[lines.length];
    if (name !== undefined) lines.push({ name, ok: false, error: "Deno did not live through it: see its words above" });
  }
  return lines;
}

/** What is not a case's line goes to the terminal, so that a crash explains itself. */
async function linesFrom(done: number, main: string): Promise<Line[]> {
  using directory = temporaryDirectory();
  const output = directory.of("lines");
  const child = Bun.spawn([DENO, "run", "-A", join(import.meta.dir, main), String(done)], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: Bun.file(output),
    stderr: "inherit",
    timeout: PATIENCE_MS - 5000,
    killSignal: "SIGKILL",
  });
  await child.exited;
  return readFileSync(output, "utf8").split("\n").flatMap(parseLine);
}

function parseLine(text: string): Line[] {
  if (text === "") return [];
  // Printed by suite.ts, on the other runtime.
  if (text.startsWith('{"name":')) return [JSON.parse(text) as Line];
  console.error(text);
  return [];
}
