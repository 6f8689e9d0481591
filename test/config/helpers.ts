import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_LIMITS, type Definition, type ParameterDefinition } from "../../src/config/definition.ts";
import { messageOf, ReeveError } from "../../src/errors.ts";

/** An empty directory that is gone when the block that holds it ends. */
export function temporaryDirectory(): Disposable & { path: string; write: (name: string, text: string) => string } {
  const path = mkdtempSync(join(tmpdir(), "reeve-config-"));
  const write = (name: string, text: string): string => {
    writeFileSync(join(path, name), text);
    return join(path, name);
  };
  return { path, write, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export const parameter = (fields: Partial<ParameterDefinition> = {}): ParameterDefinition => ({
  kind: "string",
  required: false,
  secret: false,
  allowLeadingDash: false,
  ...fields,
});

export const definition = (
  parameters: Record<string, ParameterDefinition>,
  fields: Partial<Definition> = {},
): Definition => ({
  name: "resize",
  command: ["/bin/true"],
  parameters: new Map(Object.entries(parameters)),
  limits: DEFAULT_LIMITS,
  environment: {},
  passEnvironment: [],
  cwd: "/",
  ...fields,
});

/** The message and exit code of what a function throws, which must be an error for the person at the command line. */
export async function errorOf(action: () => unknown): Promise<{ message: string; exitCode: number }> {
  try {
    await action();
  } catch (error) {
    if (error instanceof ReeveError) return { message: error.message, exitCode: error.exitCode };
    throw new Error(`not a ReeveError: ${messageOf(error)}`, { cause: error });
  }
  throw new Error("nothing was thrown");
}
