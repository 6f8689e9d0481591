/** The entry of processes that load modules of jobs, where Reeve is a package of another program. */
import { dieAs } from "./cli/dying.ts";
import { serve } from "./functions/serving.ts";
import { runtime } from "./runtime/index.ts";

const [, , , ...task] = process.argv;
process.exit(await serve(task, (signal) => dieAs(signal, runtime.libc())));
