import { writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Runtime } from "../runtime/port.ts";
import { describeModule, descriptionText } from "./describe.ts";
import { loadModule } from "./load.ts";
import { assignmentIn } from "./assignment.ts";
import { Channel } from "./channel.ts";
import { FUNCTION_VARIABLE } from "../config/function-inputs.ts";
import { definedJobs } from "./registry.ts";
import { Work, type WayOut } from "./work.ts";
import type { FunctionTask } from "./verb.ts";

const DESCRIPTION = 3;

/** A process for a module of jobs: says what is in it, or runs one function of it. Tells how the process is to end. */
export async function serveModule(argv: readonly string[], runtime: Runtime): Promise<WayOut> {
  const [task, file = "", name = ""] = argv;
  switch (task) {
    case "describe" satisfies FunctionTask:
      endWithParent(runtime);
      return tell(descriptionText(await describeModule(file, runtime)));
    case "run" satisfies FunctionTask:
    case "exit" satisfies FunctionTask:
      return serveJob(task, file, name, runtime);
    default:
      throw new Error(`this program starts itself with this verb, and never with ${JSON.stringify(task)}`);
  }
}

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** Nobody would end a module that hangs while it is loaded, if who asks is interrupted meanwhile: prctl(2). */
function endWithParent(runtime: Runtime): void {
  runtime.libc().prctl(PR_SET_PDEATHSIG, SIGKILL);
}

function tell(text: string): WayOut {
  const bytes = Buffer.from(`${text}\n`);
  for (let written = 0; written < bytes.length;) written += writeSync(DESCRIPTION, bytes, written);
  return { code: 0 };
}

async function serveJob(task: "run" | "exit", file: string, name: string, runtime: Runtime): Promise<WayOut> {
  const assignment = assignmentIn(process.env);
  // What it starts itself need not see it.
  delete process.env[FUNCTION_VARIABLE];
  const channel = new Channel();
  const work = new Work(assignment, channel, dirname(file));
  return work.perform(task, async () => {
    const exports = await loadModule(file, runtime);
    const job = definedJobs().get(exports[name]);
    if (job) return job.source;
    throw new Error(`${basename(file)} exports no job ${name} any more`);
  });
}
