import type { ImportModule } from "../runtime/port.ts";
import { loadModule } from "./load.ts";
import { assignmentIn } from "./assignment.ts";
import { Channel, writeLine } from "./channel.ts";
import { FUNCTION_VARIABLE } from "../config/function-variable.ts";
import { SPARE_VARIABLE } from "../process/spare-order.ts";
import { definedJobs } from "./registry.ts";
import { path } from "./builtins.ts";
import { Work, type WayOut } from "./work.ts";
import type { FunctionTask } from "./verb.ts";

type Exports = Awaited<ReturnType<ImportModule>>;

const DESCRIPTION = 3;

/** A process for a module of jobs: says what is in it, or runs one function of it. Tells how the process is to end. */
export async function serveModule(argv: readonly string[], importModule: ImportModule): Promise<WayOut> {
  const [task, file = "", name = "", handler] = argv;
  switch (task) {
    case "describe" satisfies FunctionTask:
      return describe(file, importModule);
    case "run" satisfies FunctionTask:
    case "exit" satisfies FunctionTask:
      return serveJob(task, { file, name, handler }, importModule);
    case "route" satisfies FunctionTask:
      return (await import("./answering.ts")).answerForRoute(file, importModule);
    default:
      throw new Error(`this program starts itself with this verb, and never with ${JSON.stringify(task)}`);
  }
}

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** Nobody would end a module that hangs while it is loaded, if who asks is interrupted meanwhile: prctl(2). */
async function endWithParent(): Promise<void> {
  const { runtime } = await import("../runtime/index.ts");
  runtime.libc().prctl(PR_SET_PDEATHSIG, SIGKILL);
}

async function describe(file: string, importModule: ImportModule): Promise<WayOut> {
  await endWithParent();
  // What runs a job does not pay for it.
  const { describeModule, descriptionText } = await import("./describe.ts");
  writeLine(DESCRIPTION, descriptionText(await describeModule(file, importModule)));
  return { code: 0 };
}

interface Named {
  readonly file: string;
  readonly name: string;
  /** The export that cleans up instead of the job's own. */
  readonly handler: string | undefined;
}

async function serveJob(
  task: "run" | "exit",
  { file, name, handler }: Named,
  importModule: ImportModule,
): Promise<WayOut> {
  let loaded: Promise<Exports> | undefined;
  const load = (): Promise<Exports> => (loaded ??= loadAgain(file, importModule));
  if (process.env[SPARE_VARIABLE] !== undefined) {
    const { waitForJob } = await import("./waiting.ts");
    const code = await waitForJob(load);
    if (code !== null) return { code };
  }
  const assignment = assignmentIn(process.env);
  // What it starts itself need not see it.
  delete process.env[FUNCTION_VARIABLE];
  const channel = new Channel();
  const work = new Work(assignment, channel, file);
  return work.perform(task, async () => {
    const exports = await load();
    const job = definedJobs().get(exports[name]);
    if (job && handler === undefined) return job.source;
    if (job && handler !== undefined) return { ...job.source, onExit: await exitHandler(exports[handler]) };
    throw new Error(`${path().basename(file)} exports no job ${name} any more`);
  });
}

/** It was without fault when the worker asked it, or when this job was made; perhaps it is being replaced. */
async function loadAgain(file: string, importModule: ImportModule): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await loadModule(file, importModule);
  } catch (error) {
    const { explainLoadFailure } = await import("./load-failure.ts");
    const { message, place } = explainLoadFailure(error, file);
    const where = path().basename(place?.file ?? file) + (place === null ? "" : `:${place.line}`);
    throw new Error(`the module cannot be loaded: ${where}: ${message}`, { cause: error });
  }
}

async function exitHandler(exported: unknown): Promise<unknown> {
  const { exitHandlerOf } = await import("./route-result.ts");
  return exitHandlerOf(exported);
}
