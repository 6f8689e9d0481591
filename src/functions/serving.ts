import { DIRECT_VARIABLE } from "../config/function-variable.ts";
import { importModule } from "../runtime/modules.ts";
import { serveModule } from "./child.ts";

/** As of every defect of ours: EX_SOFTWARE, sysexits(3). */
const BROKEN = 70;

/**
 * Does what this process was started for. What a function leaves open or running does not keep its process; what it has
 * written does.
 *
 * @param dieAs ends this process by a signal, or gives what stands for that
 * @returns the code with which whoever may end this process is to end it
 */
export async function serve(
  argv: readonly string[],
  dieAs: (signal: string) => number | Promise<number>,
): Promise<number> {
  const isDirect = process.env[DIRECT_VARIABLE] !== undefined;
  delete process.env[DIRECT_VARIABLE];
  const way = await serveModule(argv, importModule).catch(broken);
  if (isDirect) await Promise.all([written(process.stdout), written(process.stderr)]);
  return "code" in way ? way.code : dieAs(way.signal);
}

/** Said here, and not left to the runtime: what nobody catches is the function's from now on. */
function broken(error: unknown): { code: number } {
  console.error(error);
  return { code: BROKEN };
}

/** What is written to a file has been, but a stream may have kept what a pipe did not take at once. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<unknown>((resolve) => {
    // Who read it may have gone.
    stream.once("error", resolve);
    stream.end(() => resolve(null));
  });
}
