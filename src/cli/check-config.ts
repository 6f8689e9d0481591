import { checkConfiguration } from "../config/check.ts";
import { EXIT, ReeveError } from "../errors.ts";
import { containmentProblem, unenforceable } from "../process/containment.ts";
import { runtime } from "../runtime/index.ts";
import { readDefinitions } from "./definitions.ts";
import { report } from "./failures.ts";
import type { Invocation, Options } from "./invocation.ts";
import { printJson } from "./render/json.ts";
import { counted } from "./render/text.ts";
import { printLine } from "./streams.ts";

/** What a look at the configuration found. */
interface Findings {
  readonly file: string | null;
  readonly definitions: readonly string[];
  /** What is wrong: no verb would start. */
  readonly problems: readonly string[];
  /** What is allowed, but most likely not meant. */
  readonly warnings: readonly string[];
}

/** `reeve check-config`: what is wrong, or looks wrong, in reeve.toml and the modules of jobs. */
export async function run({ options }: Invocation): Promise<number> {
  try {
    await tell(await look(options), options.flag("json"));
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof ReeveError) || !options.flag("json")) throw error;
    const problems = error.message.split("\n");
    await printJson({
      file: options.text("config") ?? null,
      definitions: [],
      problems,
      warnings: [],
    } satisfies Findings);
    return report(error);
  }
}

async function look(options: Options): Promise<Findings> {
  const { configuration, modules } = await readDefinitions(options);
  const containment = containmentProblem(configuration.worker.containment, runtime);
  const warnings = [
    ...(containment === null ? [] : [`worker.containment: ${containment}`]),
    ...checkConfiguration(configuration, process.env, unenforceable(runtime)),
  ];
  const file = configuration.file ?? modules[0]?.file ?? null;
  return { file, definitions: [...configuration.definitions.keys()], problems: [], warnings };
}

async function tell(findings: Findings, json: boolean): Promise<void> {
  if (json) return printJson(findings);
  const { file, warnings, definitions } = findings;
  if (file === null) return printLine("there is no reeve.toml here: the defaults hold");
  for (const warning of warnings) await printLine(`${file}: ${warning}`);
  await printLine(`${file}: ${counted(definitions.length, "definition")}, ${counted(warnings.length, "warning")}`);
}
