import type { Definition, OutputMode } from "../../config/definition.ts";
import { DIRECT_VARIABLE, FUNCTION_VARIABLE } from "../../config/function-variable.ts";
import { usageError } from "../../errors.ts";
import type { Foreground } from "../../store/job.ts";
import type { NewJob } from "../../store/submission.ts";
import { Planner } from "../../worker/plan.ts";
import { NEVER_AGAIN } from "./build.ts";

/** What is to be known beside the job. */
export interface Here {
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly foreground: Foreground;
  readonly output: OutputMode;
}

/** A job of a definition as one that is run by this process alone, with the command that it comes to now. */
export function hereAndNow(job: NewJob, { definitions, foreground, output }: Here): NewJob {
  const planned = new Planner(definitions, process.env).plan(job, job);
  if (planned.kind === "rejected") throw usageError(planned.reason);
  if (planned.kind !== "plan") throw new Error(`the definition ${planned.definition} was there a moment ago`);
  const { argv, cwd, environment, exitHandler } = planned.plan;
  return {
    ...job,
    command: [...argv],
    context: {
      kind: "command",
      cwd,
      environment: foreground.direct ? { ...environment, [DIRECT_VARIABLE]: "1" } : environment,
      secrets: [FUNCTION_VARIABLE],
      limits: { ...planned.limits, ...NEVER_AGAIN, output },
      foreground,
      ...(exitHandler && { exitHandler }),
    },
  };
}
