/** The entry of processes that load modules of jobs, where Reeve is a package of another program. */
import { serve } from "./functions/serving.ts";

async function dieAs(signal: string): Promise<number> {
  const [dying, { runtime }] = await Promise.all([import("./cli/dying.ts"), import("./runtime/index.ts")]);
  return dying.dieAs(signal, runtime.libc());
}

const [, , , ...task] = process.argv;
process.exit(await serve(task, dieAs));
