import { resolve } from "node:path";
import { systemClock } from "../clock.ts";
import type { Configuration, Definition } from "../config/definition.ts";
import { clashes } from "../config/references.ts";
import { configurationError } from "../errors.ts";
import type { FunctionModule } from "../functions/definitions.ts";
import { runtime } from "../runtime/index.ts";
import { readConfiguration } from "./context.ts";
import type { Options } from "./invocation.ts";

/** The configuration with all definitions that there are, for a verb that needs them. */
export interface Definitions {
  /** With the jobs of the modules. */
  readonly configuration: Configuration;
  /** The modules of jobs that are named by `--jobs`, else by the configuration. */
  readonly modules: readonly FunctionModule[];
}

/**
 * The configuration that the options, the environment and the directory choose, and what the modules of jobs say of
 * themselves. Verbs that need no definition use {@link readConfiguration}, which starts nothing.
 *
 * @throws ReeveError (configuration) also for what is wrong with a module, with its file and line
 */
export async function readDefinitions(options: Options): Promise<Definitions> {
  const configuration = await readConfiguration(options);
  const files = filesOf(options, configuration);
  if (files.length === 0) return { configuration, modules: [] };
  const { askModule } = await import("../functions/modules.ts");
  const definitions = new Map(configuration.definitions);
  const taken = new Map([...definitions.keys()].map((name) => [name, configuration.file ?? "reeve.toml"]));
  const modules: FunctionModule[] = [];
  const asking = { runtime, clock: systemClock, environment: process.env, cwd: process.cwd() };
  for (const file of files) {
    const asked = await askModule(file, taken, asking);
    for (const definition of asked.definitions) add(definition, file, definitions, taken);
    modules.push(asked);
  }
  const whole = { ...configuration, definitions };
  const wrong = clashes(whole);
  if (wrong.length > 0) throw configurationError(wrong.join("\n"));
  return { configuration: whole, modules };
}

function add(definition: Definition, file: string, to: Map<string, Definition>, taken: Map<string, string>): void {
  to.set(definition.name, definition);
  taken.set(definition.name, file);
}

function filesOf(options: Options, { jobsFile }: Configuration): string[] {
  const named = options.texts("jobs").map((file) => resolve(file));
  if (named.length > 0) return [...new Set(named)];
  return jobsFile === null ? [] : [jobsFile];
}
