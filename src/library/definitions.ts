import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../clock.ts";
import type { Definition } from "../config/definition.ts";
import { configurationError } from "../errors.ts";
import type { FunctionModule } from "../functions/definitions.ts";
import { runtime } from "../runtime/index.ts";
import type { Environment } from "./opening.ts";
import { readDefinitions, type JobDefinitions } from "./settings.ts";

/** What a program says that jobs can be. */
export interface GivenDefinitions {
  /** Commands, by name. */
  readonly definitions?: JobDefinitions | undefined;
  /** Files of modules whose exports are jobs (`defineJob`): each job of them runs in a process of its own. */
  readonly jobs?: string | readonly string[] | undefined;
}

/** What these come to. */
export interface KnownJobs {
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly modules: readonly FunctionModule[];
}

/** The entry of processes that load modules: TypeScript, or what was made of it. */
export const CHILD = fileURLToPath(new URL(`../child${extname(import.meta.url)}`, import.meta.url));

/**
 * All definitions by name. Modules are loaded by processes of their own, never by this one.
 *
 * @throws ReeveError (configuration) with a line for each thing that is wrong
 */
export async function allDefinitions(
  { definitions = {}, jobs = [] }: GivenDefinitions,
  environment: Environment,
): Promise<KnownJobs> {
  const cwd = process.cwd();
  const all = await readDefinitions(definitions, cwd);
  const files = [...new Set([jobs].flat().map((file) => resolve(cwd, file)))];
  if (files.length === 0) return { definitions: all, modules: [] };
  if (!existsSync(CHILD)) throw configurationError("a compiled program cannot run modules of jobs", COMPILED_HINT);
  const taken = new Map([...all.keys()].map((name) => [name, "definitions"]));
  const { askModule } = await import("../functions/modules.ts");
  const modules: FunctionModule[] = [];
  for (const file of files) {
    const asked = await askModule(file, taken, { runtime, clock: systemClock, environment, cwd, main: CHILD });
    modules.push(asked);
    for (const definition of asked.definitions) {
      all.set(definition.name, definition);
      taken.set(definition.name, file);
    }
  }
  return { definitions: all, modules };
}

const COMPILED_HINT = "run it by `bun` or `deno`, or run the jobs by `reeve work --jobs`";
