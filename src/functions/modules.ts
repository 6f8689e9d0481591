import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import { lastWords } from "../config/wording.ts";
import { configurationError } from "../errors.ts";
import { ask, type Answer } from "../process/asking.ts";
import { foregroundEnvironment, type Environment } from "../process/environment.ts";
import type { Runtime } from "../runtime/port.ts";
import { definitionsOf, type Around, type FunctionModule } from "./definitions.ts";
import type { Description } from "./describe.ts";
import { loadingArgv } from "./load.ts";
import { shownPath } from "./places.ts";
import { FUNCTION_VERB } from "./verb.ts";

/** Milliseconds in which a module has to tell what is in it. */
const DESCRIBE_WITHIN_MS = 20_000;

export interface Asking {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly cwd: string;
  /** The file of this program's entry, where another program has it as a package. */
  readonly main?: string;
}

/**
 * Asks a module of jobs what is in it. It is loaded by a process of its own, with a limit of time: what it does when it
 * is loaded, it does there.
 *
 * @param taken names that are taken, and by whom
 * @throws ReeveError (configuration) that names file and line of whatever is wrong with it
 */
export async function askModule(
  file: string,
  taken: ReadonlyMap<string, string>,
  { runtime, clock, environment, cwd, main }: Asking,
): Promise<FunctionModule> {
  refuseMissing(file, cwd);
  const argv = loadingArgv(runtime, main);
  const question = {
    argv: [...argv, FUNCTION_VERB, "describe", file],
    cwd: dirname(file),
    environment: foregroundEnvironment(environment, {}),
    withinMs: DESCRIBE_WITHIN_MS,
  };
  const answer = await ask(question, runtime, clock);
  const around: Around = { file, argv, taken, cwd };
  return definitionsOf(descriptionIn(answer), around);
}

function refuseMissing(file: string, cwd: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  throw configurationError(`${shownPath(file, cwd)}: there is no such file`, "a module that exports jobs");
}

function descriptionIn({ exit, told, output }: Answer): Description {
  // What the module itself writes there comes before.
  const line = told.trimEnd().split("\n").at(-1) ?? "";
  // Our own program wrote it, in this version.
  if (exit?.code === 0 && line.startsWith("{")) return JSON.parse(line) as Description;
  return { message: `${silence(exit)}${lastWords(output)}`, place: null };
}

function silence(exit: Answer["exit"]): string {
  if (exit === null) return `it was not loaded within ${DESCRIBE_WITHIN_MS / 1000}s: something in it does not end`;
  const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
  return `its process ended while it was loaded (${how})`;
}
